"""Pixel operations of colours and blur, each for one photo in a loader's worker and for a batch on its device.

A photo is a uint8 array (H, W, 3), which cv2 changes, and its numbers are a row (K,); nothing is overwritten. A batch
is a float tensor (n, 3, H, W) of whole grey levels, which torch may overwrite, and its numbers are (n, K); after each
operation :func:`change` clips it and cuts it down to whole levels, as Pillow and torchvision do. The two are within one
grey level of each other, after the four changes of a jitter within two, but for fewer than five of ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

Pixels = TypeVar('Pixels', np.ndarray, Tensor)  # one photo, or floats of a batch

_CUT = -0.499  # cv2 rounds: with it, it cuts down to whole levels
# of a batch, taken at a time: one photo of 224 x 224, which a cache holds; of images up to 64 x 64 more, for calls cost
# more than a cache saves; on a device 334 photos, 200 MB of floats
_CPU_PIXELS, _SMALL_PIXELS, _DEVICE_PIXELS, _SMALL = 1 << 16, 1 << 18, 1 << 24, 64 * 64


@dataclass(frozen=True)
class Step:
    """One operation on some samples.

    Attributes:
        chosen: which samples, bool (N,).
        operation: takes pixels and these samples' numbers, where there are any; gives the same shape.
        numbers: (N, K), or None.
    """

    chosen: np.ndarray
    operation: Callable[..., Any]
    numbers: np.ndarray | None = None


def change(photos: Any, steps: Sequence[Step]) -> Any:
    """The photos, some of which went through each step, in their order; what is given stays as it was.

    Args:
        photos: any iterable of arrays uint8 (H, W, 3), changed one after the other as they come, or a tensor uint8
            (N, 3, H, W).
    """
    return _change_batch(photos, steps) if isinstance(photos, Tensor) else _change_each(photos, steps)


def _change_each(photos: Iterable[np.ndarray], steps: Sequence[Step]) -> Iterator[np.ndarray]:
    for row, photo in enumerate(photos):
        for step in steps:
            if step.chosen[row]:
                photo = step.operation(photo, *([] if step.numbers is None else [step.numbers[row]]))
        yield photo


def _change_batch(images: Tensor, steps: Sequence[Step]) -> Tensor:
    """Nothing waits for the device: which samples are changed is known on the CPU. A device changes them by groups,
    never one by one, within a bounded memory of floats; a CPU takes as many at a time as its cache holds.
    """
    images, length = images.clone(), len(images)
    size = images.shape[2:].numel()
    pixels = _DEVICE_PIXELS if images.device.type != 'cpu' else _SMALL_PIXELS if size <= _SMALL else _CPU_PIXELS
    piece = max(1, pixels // size)
    touched = np.any([step.chosen for step in steps], axis=0) if steps else np.zeros(length, dtype=bool)
    for start in range(0, length, piece):
        part = slice(start, start + piece)
        if touched[part].any():
            levels = images[part].float()
            for step in steps:
                _take(step, levels, start)
            # by way of int16: a fifth of the time of a direct conversion on a CPU
            images[part] = levels.to(torch.int16)
    return images


def _take(step: Step, levels: Tensor, start: int) -> None:
    """One step of ``levels``, whole floats of the samples from ``start`` on, in place."""
    rows = np.flatnonzero(step.chosen[start : start + len(levels)])
    if not len(rows):
        return
    numbers = [] if step.numbers is None else [send(step.numbers[start + rows].astype(np.float32), levels.device)]
    if len(rows) == len(levels):
        levels.copy_(step.operation(levels, *numbers).clamp_(0, 255).floor_())
        return
    places = send(rows, levels.device)
    changed = step.operation(levels.index_select(0, places), *numbers)
    levels.index_copy_(0, places, changed.clamp_(0, 255).floor_())


def send(numbers: np.ndarray, device: torch.device) -> Tensor:
    """The numbers on the device, without waiting for it: its driver stages what is not pinned."""
    return torch.from_numpy(numbers).to(device, non_blocking=True)


# operations


def brighten(photo: Pixels, factors: Pixels) -> Pixels:
    """f x."""
    return blend(photo, 0.0, factors)


def contrast(photo: Pixels, factors: Pixels) -> Pixels:
    """m + f (x - m), m being the photo's mean luma, rounded."""
    gray = luma(photo)
    if isinstance(gray, np.ndarray):
        return blend(photo, int(cv2.mean(gray)[0] + 0.5), factors)
    # a sum of whole numbers is the same in any order
    total = gray.sum(dim=(2, 3), keepdim=True, dtype=torch.int64)
    return blend(photo, total.float().div_(gray[0].numel()).add_(0.5).floor_(), factors)


def saturate(photo: Pixels, factors: Pixels) -> Pixels:
    """g + f (x - g), g being each pixel's luma."""
    return blend(photo, luma(photo), factors)


def desaturate(photo: Pixels) -> Pixels:
    """The luma, three times."""
    gray = luma(photo)
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB) if isinstance(gray, np.ndarray) else gray.repeat(1, 3, 1, 1)


def luma(photo: Pixels) -> Pixels:
    """(299 R + 587 G + 114 B) / 1000, rounded: uint8 (H, W); of a batch (N, 1, H, W), Pillow's ``L`` to the bit."""
    if isinstance(photo, np.ndarray):
        return cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    red, green, blue = photo.unbind(1)
    # whole numbers below 2^24: exact in single precision
    weighted = red.mul(19595).add_(green, alpha=38470).add_(blue, alpha=7471).add_(32768)
    return weighted.mul_(2.0**-16).floor_().unsqueeze(1)


def blend(photo: Pixels, others: Any, factors: Pixels) -> Pixels:
    """``others + f (photo - others)``; where both are equal the result is too, to the bit.

    ``others`` is a grey level, or each pixel's as :func:`luma` gives them.
    """
    if isinstance(photo, Tensor):
        return photo.sub_(others).mul_(factors[:, :, None, None]).add_(others)
    factor = float(factors[0])
    if isinstance(others, np.ndarray):
        return cv2.addWeighted(photo, factor, cv2.cvtColor(others, cv2.COLOR_GRAY2RGB), 1 - factor, _CUT)
    return cv2.addWeighted(photo, factor, photo, 0.0, (1 - factor) * others + _CUT)


def turn_hue(photo: Pixels, turns: Pixels) -> Pixels:
    """The hue of HSV, moved by ``turns`` of the circle; value and saturation stay. Rounded.

    Pillow, on which torchvision's transforms of PIL images rest, cuts hue, saturation and value down to 256 steps each.

    Of a batch: with low = min(R, G, B), chroma C = max(R, G, B) - low and hue h in sixths, 0 <= h < 6, a channel is
    low + C w, w being |h - 3| - 1 for R, 2 - |h - 2| for G and 2 - |h - 4| for B, clipped to 0..1.
    """
    if isinstance(photo, np.ndarray):
        hsv = torch.from_numpy(photo).float().numpy()  # a sixth of the time that astype takes
        cv2.cvtColor(hsv, cv2.COLOR_RGB2HSV, dst=hsv)
        hsv[..., 0] += 360 * (float(turns[0]) % 1)  # cv2 takes hues beyond the circle
        return cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=hsv))
    red, green, blue = photo.unbind(1)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = torch.maximum(torch.maximum(red, green), blue).sub_(low)
    hue = _hue(red, green, blue, chroma + low, chroma).add_(6 * turns[:, :, None])
    hue.sub_((hue / 6).floor_(), alpha=6)
    torch.addcmul(low, chroma, (hue - 3).abs_().sub_(1).clamp_(0, 1), out=red)
    for channel, centre in ((green, 2), (blue, 4)):
        torch.addcmul(low, chroma, (hue - centre).abs_().neg_().add_(2).clamp_(0, 1), out=channel)
    return photo.round_()


def _hue(red: Tensor, green: Tensor, blue: Tensor, value: Tensor, chroma: Tensor) -> Tensor:
    """In sixths of the circle, -1 to 5: (G - B) / C where R is the largest, else 2 + (B - R) / C where G is, else
    4 + (R - G) / C.

    Masks are floats, multiplied by: no branch that a processor would guess.
    """
    share = chroma.clamp(min=1e-6).reciprocal_()  # a gray pixel has no hue, and no chroma that would show it
    hue = (red - green).mul_(share).add_(4)
    for difference, start, largest in ((blue - red, 2, green), (green - blue, 0, red)):
        mask = torch.eq(largest, value, out=torch.empty_like(value))
        hue.addcmul_(difference.mul_(share).add_(start).sub_(hue), mask)
    return hue


def blur(photo: Pixels, taps: Pixels) -> Pixels:
    """A separable convolution with ``taps``, 2 R + 1 a photo, edges repeated, then rounded.

    Of a batch: sums of shifted images, in single precision whatever the autocast or TensorFloat says, and with the same
    bits in any batch, at the cost of a grouped convolution.
    """
    if isinstance(photo, np.ndarray):
        return cv2.sepFilter2D(photo, -1, taps, taps, borderType=cv2.BORDER_REPLICATE)
    radius, (height, width) = taps.shape[1] // 2, photo.shape[-2:]
    images, rows = pad(photo, [radius] * 4, mode='replicate'), taps[:, :, None, None, None]
    across = images[..., :width] * rows[:, 0]
    for place in range(1, taps.shape[1]):
        across.addcmul_(images[..., place : place + width], rows[:, place])
    down = across[..., :height, :] * rows[:, 0]
    for place in range(1, taps.shape[1]):
        down.addcmul_(across[..., place : place + height, :], rows[:, place])
    return down.round_()


def invert(photo: Pixels, thresholds: Pixels) -> Pixels:
    """255 - x where x >= threshold."""
    if isinstance(photo, np.ndarray):
        levels = np.arange(256)
        return cv2.LUT(photo, np.where(levels >= thresholds[0], 255 - levels, levels).astype(np.uint8))
    bright = photo.ge(thresholds[:, :, None, None]).to(photo.dtype)
    return photo.sub_(bright, alpha=255).abs_()


def shift(photo: Pixels, levels: Pixels) -> Pixels:
    """Whole ``levels``, three a photo, added to R, G and B."""
    if isinstance(photo, np.ndarray):
        return cv2.add(photo, np.append(levels, 0.0))
    return photo.add_(levels[:, :, None, None])
