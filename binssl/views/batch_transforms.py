"""Augmentation of small photos, a whole batch of uint8 tensors (N, 3, H, W) at a time, on the device of the batch.

What is drawn, and the pixels that come out, are those of torchvision's transforms of one image. The numbers come from
one counter key a sample, so that neither the batch, nor its order, nor the device has a say; they are drawn on the CPU,
and nothing waits for the device.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms.v2 import functional

from binssl.core.randomness import uniforms
from binssl.registry import TRANSFORMS, ConfigError
from binssl.views.batch_pixels import send
from binssl.views.build import BATCH

_ONE = 1 << 16  # of Pillow's fixed-point coordinates


@TRANSFORMS.register_module()
class BatchCrop:
    """A random square of the image with a border of zeros: torchvision's ``RandomCrop``.

    Row and column of the corner are uniform over the places where the square fits.

    Shape: (N, 3, H, W) -> (N, 3, size, size).

    Args:
        size: height and width of the square.
        padding: width of the border.
    """

    takes = BATCH

    def __init__(self, size: int = 32, padding: int = 4) -> None:
        if size < 1 or padding < 0:
            raise ConfigError(f'BatchCrop: size {size} must be at least 1 and padding {padding} at least 0')
        self.size, self.padding = size, padding

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Crops uint8 ``images`` by one uint64 key a sample."""
        bordered = pad(images, [self.padding] * 4).contiguous()
        places = [side - self.size + 1 for side in bordered.shape[-2:]]
        if min(places) < 1:
            raise ConfigError(
                f'BatchCrop: no square of {self.size} px fits into {images.shape[-2]} x {images.shape[-1]} px with '
                f'padding {self.padding}; lower size, or raise padding'
            )
        top, left = self.draw(keys, places)
        image, channel, row, column = bordered.stride()
        corners = send(image * np.arange(len(images)) + row * top + left, images.device)
        # a view: the square that starts at each pixel (an eighth of the time that indexing by four axes takes)
        squares = (
            bordered.numel() - channel * (images.shape[1] - 1) - (row + column) * (self.size - 1),
            images.shape[1],
            self.size,
            self.size,
        )
        return bordered.as_strided(squares, (1, channel, row, column)).index_select(0, corners)

    def draw(self, keys: np.ndarray, places: list[int]) -> np.ndarray:
        """Rows and columns of the corners, below ``places``: int64 (2, N)."""
        return (uniforms(keys, 2) * places).astype(np.int64).T


@TRANSFORMS.register_module()
class BatchFlip:
    """Mirrors left and right: torchvision's ``RandomHorizontalFlip``.

    Args:
        p: how often an image is mirrored.
    """

    takes = BATCH

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ConfigError(f'BatchFlip: p {p} must lie between 0 and 1')
        self.p = p

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Mirrors some of uint8 ``images``, by one uint64 key a sample."""
        sources = send(np.arange(len(images)) + len(images) * self.draw(keys), images.device)
        return torch.cat([images, images.flip(-1)]).index_select(0, sources)

    def draw(self, keys: np.ndarray) -> np.ndarray:
        """Which images are mirrored: bool (N,)."""
        return uniforms(keys, 1)[:, 0] < self.p


@TRANSFORMS.register_module()
class BatchRotate:
    """Rotates about the centre, nearest pixels, black outside: torchvision's ``RandomRotation``.

    The arithmetic is Pillow's, in integers (coordinates in units of 2^-16 px): the pixels equal those of
    ``Image.rotate``, on any device.

    Args:
        degrees: angle ~ U(-degrees, degrees), counter-clockwise.
    """

    takes = BATCH

    def __init__(self, degrees: float = 20.0) -> None:
        if not 0 <= degrees <= 180:
            raise ConfigError(f'BatchRotate: degrees {degrees} must lie between 0 and 180')
        self.degrees = degrees

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Rotates uint8 ``images`` (N, C, H, W) by one uint64 key a sample."""
        turns = send(fixed_point_turns(self.draw(keys), *images.shape[-2:]), images.device)
        # few images' coordinates stay in a CPU's cache: a third of the time
        piece = 8 if images.device.type == 'cpu' else len(images)
        pieces = zip(images.split(piece), turns.split(piece, dim=1), strict=True)
        return torch.cat([self.turn(part, part_turns) for part, part_turns in pieces])

    @staticmethod
    def turn(images: Tensor, turns: Tensor) -> Tensor:
        """Images (N, C, H, W) through their maps, int32 (6, N), from :func:`fixed_point_turns`."""
        height, width = images.shape[-2:]
        xx, xy, x0, yx, yy, y0 = turns[:, :, None, None]
        column = torch.arange(width, dtype=torch.int32, device=images.device)
        row = torch.arange(height, dtype=torch.int32, device=images.device)[:, None]
        x = (x0 + xx * column + xy * row) >> 16  # (N, H, W), where each pixel comes from
        y = (y0 + yx * column + yy * row) >> 16
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        # beyond the last pixel there is a black one
        source = torch.where(inside, x + width * y, height * width).flatten(1).long()
        pixels = pad(images.flatten(2), [0, 1])
        return pixels.gather(2, source[:, None].expand(-1, images.shape[1], -1)).view_as(images)

    def draw(self, keys: np.ndarray) -> np.ndarray:
        """The angles in degrees: float64 (N,)."""
        return self.degrees * (2 * uniforms(keys, 1)[:, 0] - 1)


def fixed_point_turns(degrees: np.ndarray, height: int, width: int) -> np.ndarray:
    """The maps from an output pixel to the input pixel under a rotation about the centre.

    Args:
        degrees: angles (N,), counter-clockwise.
        height: H, below 2^14 as W, or the products would not fit into 32 bits.
        width: W.

    Returns:
        int32 (6, N), in units of 2^-16 px: a, b, c of ``x_in = a x + b y + c``, then those of ``y_in``. An integer
        (x, y) is the pixel's place, its centre half a pixel further.
    """
    radians = -np.deg2rad(degrees % 360)
    cos, sin = np.round(np.cos(radians), 15), np.round(np.sin(radians), 15)
    a, b, d, e = cos, sin, -sin, cos
    c = width / 2 - a * width / 2 - b * height / 2
    f = height / 2 - d * width / 2 - e * height / 2
    coefficients = np.stack([a, b, c + (a + b) / 2, d, e, f + (d + e) / 2])
    return np.floor(coefficients * _ONE + 0.5).astype(np.int32)


@TRANSFORMS.register_module()
class BatchResize:
    """Bilinear with antialiasing: torchvision's ``Resize`` of a square, on tensors.

    Its grey levels are within 2 of Pillow's; those of a GPU within 1 of the CPU's, which rounds between the two axes.

    Shape: (N, 3, H, W) -> (N, 3, size, size).

    Args:
        size: height and width of what comes out.
    """

    takes = BATCH

    def __init__(self, size: int = 224) -> None:
        if size < 1:
            raise ConfigError(f'BatchResize: size {size} must be at least 1')
        self.size = size

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Resizes uint8 ``images``; nothing is drawn from the keys."""
        return functional.resize(images, [self.size, self.size], antialias=True)
