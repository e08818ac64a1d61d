"""Colours and blur of photos, a whole batch of uint8 tensors (N, 3, H, W) at a time, on the device of the batch.

Each transform is the twin of a ``Photo...`` transform of one image: from the same key it draws the same numbers
(``binssl.views.draws``). Its pixels are within one grey level of that one's; after the four changes of a jitter
within two, but for fewer than five of ten thousand.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from binssl.registry import TRANSFORMS
from binssl.views.batch_pixels import Step, blur, brighten, change_images, contrast, luma, saturate, turn_hue
from binssl.views.build import BATCH
from binssl.views.draws import draw_jitter, draw_lighting, draw_mask, draw_sigma, gaussian_taps
from binssl.views.settings import BlurSettings, GrayscaleSettings, JitterSettings, LightingSettings, SolarizeSettings

_CHANGES = (brighten, contrast, saturate, turn_hue)  # as draw_jitter counts them


@TRANSFORMS.register_module()
class BatchJitter(JitterSettings):
    """Brightness, contrast, saturation and hue of some samples: see :class:`JitterSettings`."""

    takes = BATCH

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
class BatchGrayscale(GrayscaleSettings):
    """Some samples without colours, Pillow's ``L``: see :class:`GrayscaleSettings`."""

    takes = BATCH

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Changes some of uint8 ``images``, by one uint64 key a sample."""
        return change_images(images, [Step(draw_mask(keys, self.p), self.desaturate)])

    @staticmethod
    def desaturate(images: Tensor) -> Tensor:
        """The luma of floats, three times."""
        return luma(images).repeat(1, 3, 1, 1)


@TRANSFORMS.register_module()
class BatchSolarize(SolarizeSettings):
    """Some samples with their bright levels inverted: see :class:`SolarizeSettings`."""

    takes = BATCH

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Changes some of uint8 ``images``, by one uint64 key a sample."""
        return change_images(images, [Step(draw_mask(keys, self.p), self.invert)])

    def invert(self, images: Tensor) -> Tensor:
        """The bright levels of floats, inverted: |x - 255| there."""
        bright = torch.ge(images, self.threshold, out=torch.empty_like(images))
        return images.sub_(bright, alpha=255).abs_()


@TRANSFORMS.register_module()
class BatchBlur(BlurSettings):
    """Some samples blurred: see :class:`BlurSettings`."""

    takes = BATCH

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
class BatchLighting(LightingSettings):
    """Samples with one colour shift each: see :class:`LightingSettings`."""

    takes = BATCH

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Shifts uint8 ``images`` by one uint64 key a sample."""
        shifts = draw_lighting(keys, self.alphastd)
        return change_images(images, [Step(np.ones(len(keys), dtype=bool), self.shift, shifts)])

    def shift(self, images: Tensor, shifts: Tensor) -> Tensor:
        """Floats with ``shifts`` (N, 3), in grey levels, added; whole levels."""
        shifts = shifts[:, :, None, None]
        return images.add_(shifts / 255).floor_() if self.as_released else images.add_(shifts).round_()
