"""Affine augmentation of small gray images, a whole batch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from binssl.core.randomness import normals, uniforms
from binssl.registry import TRANSFORMS
from binssl.views.build import DIGITS_BATCH
from binssl.views.draws import check_pair, check_within


def warp_affine(images: np.ndarray, inverses: np.ndarray, shifts: np.ndarray, size: int) -> np.ndarray:
    """Bilinear affine warp about the centre; what comes from outside the image is 0.

    ``output(p) = image(c_in + A (H / size * (p - c_out) - t))`` at pixel centres, with A of ``inverses`` and
    t of ``shifts``. Every operation is elementwise: a sample's result has the same bits in any batch.

    Shape: (N, H, H) -> (N, size, size), float32.

    Args:
        images: to warp.
        inverses: (N, 2, 2), from output to input, in (x, y).
        shifts: (N, 2), how far the content moves, in input pixels, in (x, y).
        size: output height and width.
    """
    height = images.shape[1]
    grid = (np.arange(size) - (size - 1) / 2) * (height / size)
    x, y = grid[None, None, :] - shifts[:, :1, None], grid[None, :, None] - shifts[:, 1:, None]
    a = inverses[:, :, :, None, None]
    centre = (height - 1) / 2 + 1  # in the image with its border of zeros
    # coordinates beyond the border would read zeros too: clip them onto it
    left = np.clip(a[:, 0, 0] * x + a[:, 0, 1] * y + centre, 0, height + 1).astype(np.float32)
    top = np.clip(a[:, 1, 0] * x + a[:, 1, 1] * y + centre, 0, height + 1).astype(np.float32)
    column, row = np.minimum(left.astype(np.int64), height), np.minimum(top.astype(np.int64), height)
    right, down = left - column, top - row
    width = height + 2
    pixels = np.pad(images, ((0, 0), (1, 1), (1, 1))).reshape(-1)
    corner = np.arange(len(images))[:, None, None] * width**2 + row * width + column
    upper = pixels[corner] * (1 - right) + pixels[corner + 1] * right
    lower = pixels[corner + width] * (1 - right) + pixels[corner + width + 1] * right
    return upper * (1 - down) + lower * down


@TRANSFORMS.register_module()
class DigitsAugment:
    """Random rotation, shift, scale and shear, then noise, of 8 x 8 digits. No flips: a 2 is no mirrored 2.

    The content moves by ``p -> c + s R(angle) S(shear) (p - c) + t`` with R the rotation (from x to y, so
    clockwise on the screen) and S = [[1, tan(shear)], [0, 1]]. Without arguments it is the plain image.

    Args:
        degrees: angle ~ U(-degrees, degrees).
        translate: t ~ U(-translate, translate) of the width, in x and in y.
        scale: s ~ U(scale[0], scale[1]).
        shear: shear angle ~ U(-shear, shear) degrees, along x.
        noise: standard deviation of Gaussian noise on each pixel, as a fraction of full white.
        size: height and width of what comes out.
    """

    takes = DIGITS_BATCH

    def __init__(
        self,
        degrees: float = 0.0,
        translate: float = 0.0,
        scale: Sequence[float] = (1.0, 1.0),
        shear: float = 0.0,
        noise: float = 0.0,
        size: int = 8,
    ) -> None:
        check_within(self, 0, 180, degrees=degrees)
        check_within(self, 0, 1, translate=translate)
        check_within(self, 0, 89, shear=shear)
        check_within(self, 0, math.inf, noise=noise)
        check_within(self, 1, math.inf, size=size)
        self.degrees, self.translate, self.scale = degrees, translate, check_pair(self, scale, 'scale')
        self.shear, self.noise, self.size = shear, noise, size

    def __call__(self, images: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Augments float32 (N, H, H), 0 to 255, with one uint64 key a sample; uint8 (N, size, size)."""
        inverses, shifts = self.draw(keys)
        warped = warp_affine(images, inverses, shifts * images.shape[1], self.size)
        if self.noise:
            # other keys than those that draw has used
            noise = normals(keys ^ np.uint64(1), self.size**2).reshape(warped.shape)
            warped = warped + np.float32(255 * self.noise) * noise.astype(np.float32)
        return np.clip(np.rint(warped), 0, 255).astype(np.uint8)

    def draw(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The inverse matrices (N, 2, 2) and the shifts (N, 2) in widths that belong to the keys (N,)."""
        unit = uniforms(keys, 5)
        angle, shear, x, y = np.ascontiguousarray((2 * unit[:, :4] - 1).T)
        angle, tangent = np.deg2rad(self.degrees) * angle, np.tan(np.deg2rad(self.shear) * shear)
        scale = self.scale[0] + (self.scale[1] - self.scale[0]) * unit[:, 4]
        cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
        # (s R S)^-1 = S^-1 R(-angle) / s
        inverses = np.stack([cos + tangent * sin, sin - tangent * cos, -sin, cos], axis=1).reshape(-1, 2, 2)
        return inverses, self.translate * np.stack([x, y], axis=1)
