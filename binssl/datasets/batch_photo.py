"""Colours and blur of photos, a whole batch of uint8 tensors (N, 3, H, W) at a time, on the device of the batch.

Each transform is the twin of a ``Photo...`` transform of one image: from the same key it draws the same numbers
(``binssl.datasets.draws``). Its pixels are within one grey level of that one's; after the four changes of a jitter
within two, but for fewer than five of ten thousand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from binssl.datasets.batch_pixels import Step, blur, brighten, change_images, contrast, luma, saturate, turn_hue
from binssl.datasets.draws import (
    check_probability,
    check_sigma,
    draw_jitter,
    draw_lighting,
    draw_mask,
    draw_sigma,
    gaussian_taps,
    jitter_ranges,
)
from binssl.datasets.views import BATCH
from binssl.registry import TRANSFORMS, ConfigError

_CHANGES = (brighten, contrast, saturate, turn_hue)  # as draw_jitter counts them


@TRANSFORMS.register_module()
class BatchJitter:
    """Brightness, contrast, saturation and hue, in a random order: torchvision's ``ColorJitter``, per sample.

    Args:
        brightness, contrast, saturation: a factor is drawn from U(max(0, 1 - b), 1 + b), or from U(low, high) where two
            numbers are given. 0: none.
        hue: part of the circle, from U(-h, h), h at most 0.5, or from U(low, high). 0: none.
        p: how often a sample is changed at all.
    """

    takes = BATCH

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
        p: float = 1.0,
    ) -> None:
        name = type(self).__name__
        self.ranges = jitter_ranges(name, brightness, contrast, saturation, hue)
        check_probability(name, p)
        self.p = p

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Changes uint8 ``images`` by one uint64 key a sample."""
        factors, order = draw_jitter(keys, self.ranges)
        applied = draw_mask(keys, self.p)
        steps = [
            Step(applied & (done == operation), _CHANGES[operation], factors[:, operation, None])
            for done in order.T
            for operation, drawn in enumerate(self.ranges)
            if drawn is not None
        ]
        return change_images(images, steps)


@TRANSFORMS.register_module()
class BatchGrayscale:
    """Three equal channels, Pillow's ``L``: torchvision's ``RandomGrayscale``.

    Args:
        p: how often.
    """

    takes = BATCH

    def __init__(self, p: float = 0.2) -> None:
        check_probability(type(self).__name__, p)
        self.p = p

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Changes some of uint8 ``images``, by one uint64 key a sample."""
        return change_images(images, [Step(draw_mask(keys, self.p), self.desaturate)])

    @staticmethod
    def desaturate(images: Tensor) -> Tensor:
        """The luma of floats, three times."""
        return luma(images).repeat(1, 3, 1, 1)


@TRANSFORMS.register_module()
class BatchSolarize:
    """x -> 255 - x where x >= threshold: torchvision's ``RandomSolarize``.

    Args:
        threshold: in grey levels.
        p: how often.
    """

    takes = BATCH

    def __init__(self, threshold: float = 128, p: float = 0.5) -> None:
        name = type(self).__name__
        check_probability(name, p)
        if not 0 <= threshold <= 256:
            raise ConfigError(f'{name}: threshold {threshold} must lie between 0 and 256, in grey levels')
        self.threshold, self.p = threshold, p

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Changes some of uint8 ``images``, by one uint64 key a sample."""
        return change_images(images, [Step(draw_mask(keys, self.p), self.invert)])

    def invert(self, images: Tensor) -> Tensor:
        """The bright levels of floats, inverted: |x - 255| there."""
        bright = torch.ge(images, self.threshold, out=torch.empty_like(images))
        return images.sub_(bright, alpha=255).abs_()


@TRANSFORMS.register_module()
class BatchBlur:
    """A Gaussian blur of random width (SimCLR, arXiv:2002.05709).

    The Gaussian is cut off at three standard deviations. Pillow's blur, which the published code takes, is made of
    three box filters instead.

    Args:
        p: how often an image is blurred.
        sigma: standard deviation ~ U(sigma[0], sigma[1]) pixels.
    """

    takes = BATCH

    def __init__(self, p: float = 0.5, sigma: Sequence[float] = (0.1, 2.0)) -> None:
        name = type(self).__name__
        check_probability(name, p)
        self.p, self.sigma = p, check_sigma(name, sigma)

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Changes some of uint8 ``images``, by one uint64 key a sample."""
        blurred, taps = draw_mask(keys, self.p), gaussian_taps(draw_sigma(keys, self.sigma))
        widths, most = np.count_nonzero(taps, axis=1), taps.shape[1]
        steps = [
            Step(blurred & (widths == width), blur, taps[:, (most - width) // 2 : (most + width) // 2])
            for width in np.unique(widths)
        ]
        return change_images(images, steps)


@TRANSFORMS.register_module()
class BatchLighting:
    """One random colour shift of all pixels of an image, along the principal components of ImageNet's (AlexNet, 2012).

    See ``Lighting``, which does it to one image.

    Args:
        alphastd: standard deviation of the shift along each component.
        as_released: without the factor of 255, and cut down instead of rounded, as the code of Bi-Real Net, ReActNet
            and ReCU does it.
    """

    takes = BATCH

    def __init__(self, alphastd: float = 0.1, as_released: bool = False) -> None:
        if alphastd < 0:
            raise ConfigError(f'BatchLighting: alphastd {alphastd} must not be negative')
        self.alphastd, self.as_released = alphastd, as_released

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Shifts uint8 ``images`` by one uint64 key a sample."""
        shifts = draw_lighting(keys, self.alphastd)
        return change_images(images, [Step(np.ones(len(keys), dtype=bool), self.shift, shifts)])

    def shift(self, images: Tensor, shifts: Tensor) -> Tensor:
        """Floats with ``shifts`` (N, 3), in grey levels, added; whole levels."""
        shifts = shifts[:, :, None, None]
        return images.add_(shifts / 255).floor_() if self.as_released else images.add_(shifts).round_()
