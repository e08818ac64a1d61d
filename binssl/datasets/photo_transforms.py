"""Transforms of one photo: torchvision's (v2) by name, and the blur of the published pipelines.

torchvision's classes are registered as ``torchvision/NAME``, since mmcv's bear some of the same names. They
work on PIL images here, as in the published code. All draw from the global generators, which the data set
seeds for each sample.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image, ImageFilter
from torchvision.transforms import InterpolationMode, v2

from binssl.registry import TRANSFORMS, ConfigError, nearest_names


def _interpolation(name: str) -> InterpolationMode:
    known = [mode.value for mode in InterpolationMode]
    if name not in known:
        raise ConfigError(f'no interpolation is called {name!r}; {nearest_names(name, known)}')
    return InterpolationMode(name)


def _from_config(kind: type) -> Callable[..., Any]:
    """``kind``'s constructor with an interpolation by name and nested transforms by config."""

    @functools.wraps(kind, updated=())
    def build(**settings: Any) -> Any:
        if isinstance(settings.get('interpolation'), str):
            settings['interpolation'] = _interpolation(settings['interpolation'])
        if 'transforms' in settings:
            settings['transforms'] = [TRANSFORMS.build(nested) for nested in settings['transforms']]
        try:
            return kind(**settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(f'torchvision/{kind.__name__}: {error}') from error

    return build


def _register_torchvision() -> None:
    for name, kind in vars(v2).items():
        if inspect.isclass(kind) and issubclass(kind, v2.Transform) and kind is not v2.Transform:
            TRANSFORMS.register_module(name=f'torchvision/{name}', module=_from_config(kind))


_register_torchvision()


@TRANSFORMS.register_module()
class GaussianBlur:
    """Pillow's Gaussian blur with a random width (SimCLR, arXiv:2002.05709; as in MoCo v2's and BURN's code).

    Args:
        p: how often an image is blurred.
        sigma: standard deviation ~ U(sigma[0], sigma[1]) pixels.
    """

    def __init__(self, p: float = 0.5, sigma: Sequence[float] = (0.1, 2.0)) -> None:
        if not 0 <= p <= 1:
            raise ConfigError(f'GaussianBlur: p {p} must lie between 0 and 1')
        if len(sigma) != 2 or not 0 < sigma[0] <= sigma[1]:
            raise ConfigError(f'GaussianBlur: sigma {sigma} must be two numbers, 0 < lowest <= highest')
        self.p, self.sigma = p, tuple(sigma)

    def __call__(self, image: Image.Image) -> Image.Image:
        if torch.rand(()).item() >= self.p:
            return image
        low, high = self.sigma
        return image.filter(ImageFilter.GaussianBlur(low + (high - low) * torch.rand(()).item()))
