"""What is done to the pixels of one photo, a uint8 array (H, W, 3), RGB. Nothing is changed in place."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

INTERPOLATIONS = ('antialias', 'bicubic', 'linear')

_CUT = -0.499  # cv2 rounds: with it, it cuts down to whole levels, as Pillow and torchvision do


def resize(pixels: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    """The photo, ``height`` x ``width``.

    Args:
        pixels: uint8 (H, W, 3).
        height: of what comes out.
        width: likewise.
        interpolation: 'antialias' is bilinear with a filter that widens as it shrinks the image, 'bicubic' likewise,
            both within 2 grey levels of Pillow; 'linear' always mixes four pixels, as cv2 does: faster, and another
            picture.
    """
    if interpolation == 'linear':
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    image = torch.from_numpy(np.ascontiguousarray(pixels))[None].permute(0, 3, 1, 2)  # channels last: the fast way
    mode = 'bicubic' if interpolation == 'bicubic' else 'bilinear'
    resized = interpolate(image, size=(height, width), mode=mode, antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


def luma(pixels: np.ndarray) -> np.ndarray:
    """(299 R + 587 G + 114 B) / 1000, rounded: uint8 (H, W)."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def desaturate(pixels: np.ndarray) -> np.ndarray:
    """The luma, three times."""
    return cv2.cvtColor(luma(pixels), cv2.COLOR_GRAY2RGB)


def brighten(pixels: np.ndarray, factor: float) -> np.ndarray:
    """f x, cut down to whole levels."""
    return cv2.convertScaleAbs(pixels, alpha=factor, beta=_CUT)


def contrast(pixels: np.ndarray, factor: float) -> np.ndarray:
    """m + f (x - m), cut down, m being the mean luma, rounded."""
    mean = int(cv2.mean(luma(pixels))[0] + 0.5)
    return cv2.addWeighted(pixels, factor, pixels, 0.0, (1 - factor) * mean + _CUT)


def saturate(pixels: np.ndarray, factor: float) -> np.ndarray:
    """g + f (x - g), cut down, g being the pixel's luma."""
    return cv2.addWeighted(pixels, factor, desaturate(pixels), 1 - factor, _CUT)


def turn_hue(pixels: np.ndarray, turns: float) -> np.ndarray:
    """The hue of HSV, moved by ``turns`` of the circle, in single precision, then rounded; value and saturation stay.

    Pillow, on which torchvision's transforms of PIL images rest, cuts hue, saturation and value down to 256 steps each.
    """
    hsv = torch.from_numpy(pixels).float().numpy()  # a sixth of the time that astype takes
    cv2.cvtColor(hsv, cv2.COLOR_RGB2HSV, dst=hsv)
    hsv[..., 0] += 360 * (turns % 1)  # cv2 takes hues beyond the circle
    return cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=hsv))


def blur(pixels: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """A separable convolution with ``taps`` (2 R + 1,), edges repeated, then rounded."""
    return cv2.sepFilter2D(pixels, -1, taps, taps, borderType=cv2.BORDER_REPLICATE)


def shift(pixels: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Whole ``levels`` (3,) added to R, G and B, clipped."""
    red, green, blue = levels.tolist()
    return cv2.add(pixels, np.array([red, green, blue, 0.0]))


def mirror(pixels: np.ndarray) -> np.ndarray:
    """Left and right exchanged."""
    return cv2.flip(pixels, 1)


def solarize(pixels: np.ndarray, threshold: float) -> np.ndarray:
    """255 - x where x >= threshold."""
    levels = np.arange(256)
    return cv2.LUT(pixels, np.where(levels >= threshold, 255 - levels, levels).astype(np.uint8))
