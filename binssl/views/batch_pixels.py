"""What is done to the pixels of photos: some samples of a batch at a time, each with numbers of its own.

Nothing here waits for the device: which samples are changed is known on the CPU. A device changes them by groups, never
one by one, within a bounded memory of floats; a CPU takes as many at a time as its cache holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

# pixels taken at a time: one photo of 224 x 224, which a cache holds; of images up to 64 x 64 more, for calls cost more
# than a cache saves; on a device 334 photos, 200 MB of floats
_CPU_PIXELS, _SMALL_PIXELS, _DEVICE_PIXELS, _SMALL = 1 << 16, 1 << 18, 1 << 24, 64 * 64


@dataclass(frozen=True)
class Step:
    """One change of some samples.

    Attributes:
        chosen: which samples, bool (N,).
        change: takes floats (n, 3, H, W), which it may overwrite, and the numbers of these samples, where there are
            any; gives the same shape.
        numbers: (N, K), or None.
    """

    chosen: np.ndarray
    change: Callable[..., Tensor]
    numbers: np.ndarray | None = None


def change_images(images: Tensor, steps: Sequence[Step]) -> Tensor:
    """A copy of the images, some of which went through each step, in their order.

    What a step gives is clipped to 0..255 and cut down to whole levels, as Pillow's and torchvision's transforms of
    uint8 do after each operation.

    Shape: uint8 (N, 3, H, W) -> the same.
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
        levels.copy_(step.change(levels, *numbers).clamp_(0, 255).floor_())
        return
    places = send(rows, levels.device)
    changed = step.change(levels.index_select(0, places), *numbers)
    levels.index_copy_(0, places, changed.clamp_(0, 255).floor_())


def send(numbers: np.ndarray, device: torch.device) -> Tensor:
    """The numbers on the device, without waiting for it: its driver stages what is not pinned."""
    return torch.from_numpy(numbers).to(device, non_blocking=True)


def luma(images: Tensor) -> Tensor:
    """Pillow's ``L``, (19595 R + 38470 G + 7471 B) / 65536 rounded: floats (N, 3, H, W) -> (N, 1, H, W)."""
    red, green, blue = images.unbind(1)
    # whole numbers below 2^24: exact in single precision
    weighted = red.mul(19595).add_(green, alpha=38470).add_(blue, alpha=7471).add_(32768)
    return weighted.mul_(2.0**-16).floor_().unsqueeze(1)


def blend(images: Tensor, others: Tensor | float, factors: Tensor) -> Tensor:
    """``others + f (images - others)``, in place; where both are equal the result is too, to the bit."""
    return images.sub_(others).mul_(factors[:, :, None, None]).add_(others)


def brighten(images: Tensor, factors: Tensor) -> Tensor:
    """f x, with ``factors`` (N, 1)."""
    return images.mul_(factors[:, :, None, None])


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """m + f (x - m), m being the image's mean luma, rounded."""
    gray = luma(images)
    # a sum of whole numbers is the same in any order
    mean = gray.sum(dim=(2, 3), keepdim=True, dtype=torch.int64).float().div_(gray[0].numel()).add_(0.5).floor_()
    return blend(images, mean, factors)


def saturate(images: Tensor, factors: Tensor) -> Tensor:
    """g + f (x - g), g being each pixel's luma."""
    return blend(images, luma(images), factors)


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """The hue of HSV, moved by ``turns`` (N, 1) of the circle; value and saturation stay. Rounded, as Pillow does it.

    With low = min(R, G, B), chroma C = max(R, G, B) - low and hue h in sixths, 0 <= h < 6, a channel is low + C w, w
    being |h - 3| - 1 for R, 2 - |h - 2| for G and 2 - |h - 4| for B, clipped to 0..1.
    """
    red, green, blue = images.unbind(1)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = torch.maximum(torch.maximum(red, green), blue).sub_(low)
    hue = _hue(red, green, blue, chroma + low, chroma).add_(6 * turns[:, :, None])
    hue.sub_((hue / 6).floor_(), alpha=6)
    torch.addcmul(low, chroma, (hue - 3).abs_().sub_(1).clamp_(0, 1), out=red)
    for channel, centre in ((green, 2), (blue, 4)):
        torch.addcmul(low, chroma, (hue - centre).abs_().neg_().add_(2).clamp_(0, 1), out=channel)
    return images.round_()


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


def blur(images: Tensor, taps: Tensor) -> Tensor:
    """A separable convolution with one row of ``taps`` (N, 2 R + 1) a sample, edges repeated, then rounded.

    Sums of shifted images: in single precision whatever the autocast or TensorFloat says, and with the same bits in any
    batch, at the cost of a grouped convolution.
    """
    radius, (height, width) = taps.shape[1] // 2, images.shape[-2:]
    images, taps = pad(images, [radius] * 4, mode='replicate'), taps[:, :, None, None, None]
    across = images[..., :width] * taps[:, 0]
    for place in range(1, taps.shape[1]):
        across.addcmul_(images[..., place : place + width], taps[:, place])
    down = across[..., :height, :] * taps[:, 0]
    for place in range(1, taps.shape[1]):
        down.addcmul_(across[..., place : place + height, :], taps[:, place])
    return down.round_()
