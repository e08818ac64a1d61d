"""Transforms of one photo: torchvision's (v2) by name, and the blur and the lighting of the published pipelines.

torchvision's classes are registered as ``torchvision/NAME``, since mmcv's bear some of the same names. They
work on PIL images here, as in the published code. All draw from the global generators, which the data set
seeds for each sample.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image, ImageFilter
from torchvision.transforms import InterpolationMode, v2

from binssl.registry import TRANSFORMS, ConfigError, nearest_names
from binssl.views.draws import EIGENVALUES, EIGENVECTORS, check_pair, check_within

_EIGENVECTORS, _EIGENVALUES = torch.from_numpy(EIGENVECTORS), torch.from_numpy(EIGENVALUES)


def _from_config(kind: type) -> Callable[..., Any]:
    """``kind``'s constructor with an interpolation by name and nested transforms by config."""

    @functools.wraps(kind, updated=())
    def build(**settings: Any) -> Any:
        if isinstance(name := settings.get('interpolation'), str):
            known = [mode.value for mode in InterpolationMode]
            if name not in known:
                raise ConfigError(f'no interpolation is called {name!r}; {nearest_names(name, known)}')
            settings['interpolation'] = InterpolationMode(name)
        if 'transforms' in settings:
            settings['transforms'] = [TRANSFORMS.build(nested) for nested in settings['transforms']]
        try:
            return kind(**settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(f'torchvision/{kind.__name__}: {error}') from error

    return build


for _name, _kind in vars(v2).items():
    if inspect.isclass(_kind) and issubclass(_kind, v2.Transform) and _kind is not v2.Transform:
        TRANSFORMS.register_module(name=f'torchvision/{_name}', module=_from_config(_kind))


@TRANSFORMS.register_module()
class GaussianBlur:
    """Pillow's Gaussian blur, with probability ``p`` (SimCLR, arXiv:2002.05709; as in MoCo v2's and BURN's code).

    Its standard deviation is ~ U(sigma[0], sigma[1]) pixels.
    """

    def __init__(self, p: float = 0.5, sigma: Sequence[float] = (0.1, 2.0)) -> None:
        check_within(self, 0, 1, p=p)
        self.p, self.sigma = p, check_pair(self, sigma, 'sigma')

    def __call__(self, image: Image.Image) -> Image.Image:
        if torch.rand(()).item() >= self.p:
            return image
        low, high = self.sigma
        return image.filter(ImageFilter.GaussianBlur(low + (high - low) * torch.rand(()).item()))


@TRANSFORMS.register_module()
class Lighting:
    """One random colour shift of all pixels, along the principal components of ImageNet's (AlexNet, 2012).

    shift = 255 V (a * l), a ~ N(0, alphastd^2) thrice; the columns of V are the eigenvectors, l the eigenvalues, as all
    code has them, for pixels between 0 and 1. It is rounded and clipped to 0..255, where a shift between ``ToTensor``
    and ``Normalize`` would be neither: at most half a grey level apart where nothing is clipped.

    The code of Bi-Real Net, ReActNet and ReCU applies it to the uint8 image, between the random crop and the flip, and
    forgets the factor of 255: the shift is a few hundredths of a grey level, and what follows is not rounded but cut
    down, so that a channel stays as it is or becomes one level darker.

    Args:
        alphastd: standard deviation of a.
        as_released: as that code does it.
    """

    def __init__(self, alphastd: float = 0.1, as_released: bool = False) -> None:
        check_within(self, 0, math.inf, alphastd=alphastd)
        self.alphastd, self.as_released = alphastd, as_released

    def __call__(self, image: Image.Image) -> Image.Image:
        shift = _EIGENVECTORS @ (self.alphastd * torch.randn(3, dtype=torch.float64) * _EIGENVALUES)
        levels = torch.arange(256, dtype=torch.float64)
        if self.as_released:
            shifted = (levels + shift[:, None]).clamp(0, 255).floor()
        else:
            shifted = (levels + 255 * shift[:, None]).round().clamp(0, 255)
        return image.point(shifted.flatten().int().tolist())  # a table of 256 levels for each channel
