"""Crops, flips, resizing and rotation of photos, each with one counter key.

``Photo...`` transforms take arrays, uint8 (H, W, 3), one after the other as they are decoded, so that few are held:
what a loader's workers do. ``Batch...`` transforms take images of one size, a whole batch of uint8 tensors (N, 3, H, W)
at a time, on their device; ``PhotoFlip`` takes both. The distributions are those of torchvision's transforms of one
image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad
from torchvision.transforms.v2 import functional

from binssl.core.randomness import uniforms
from binssl.registry import TRANSFORMS, ConfigError, nearest_names
from binssl.views.build import ARRAY, BATCH
from binssl.views.draws import check_pair, check_within, draw_crops, draw_mask
from binssl.views.pixels import send

INTERPOLATIONS = ('antialias', 'bicubic', 'linear')

Photos = Iterable[np.ndarray]


def resize(pixels: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    """A photo, uint8 (H, W, 3), made ``height`` x ``width``, by one of the ways that :class:`PhotoCrop` names."""
    if interpolation == 'linear':
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    image = torch.from_numpy(np.ascontiguousarray(pixels))[None].permute(0, 3, 1, 2)  # channels last: the fast way
    mode = 'bicubic' if interpolation == 'bicubic' else 'bilinear'
    resized = interpolate(image, size=(height, width), mode=mode, antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


@TRANSFORMS.register_module()
class PhotoCrop:
    """A random part of the photo, resized: torchvision's ``RandomResizedCrop``.

    Args:
        size: height and width of what comes out.
        scale: least and largest share of the photo's area.
        ratio: least and largest width / height, drawn on a logarithmic scale.
        interpolation: 'antialias' is bilinear with a filter that widens as it shrinks the image, 'bicubic' likewise,
            as torchvision's and Pillow's (both within 2 grey levels); 'linear' always mixes four pixels, as cv2 does:
            faster, with finer and noisier pictures than the published ones.
    """

    takes = ARRAY

    def __init__(
        self,
        size: int = 224,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: str = 'antialias',
    ) -> None:
        check_within(self, 1, math.inf, size=size)
        self.scale, self.ratio = check_pair(self, scale, 'scale', most=1), check_pair(self, ratio, 'ratio')
        self.size, self.interpolation = size, _check_interpolation(self, interpolation)

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        for photo, place_box in zip(photos, draw_crops(keys, self.scale, self.ratio), strict=True):
            top, left, height, width = place_box(*photo.shape[:2])
            yield resize(photo[top : top + height, left : left + width], self.size, self.size, self.interpolation)


@TRANSFORMS.register_module()
class PhotoResize:
    """The whole photo, its shorter side ``size`` px, its shape kept: torchvision's ``Resize``.

    The longer side is cut down to a whole number; ``interpolation`` is that of ``PhotoCrop``.
    """

    takes = ARRAY

    def __init__(self, size: int = 256, interpolation: str = 'antialias') -> None:
        check_within(self, 1, math.inf, size=size)
        self.size, self.interpolation = size, _check_interpolation(self, interpolation)

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        for photo in photos:
            height, width = (int(self.size * side / min(photo.shape[:2])) for side in photo.shape[:2])
            yield resize(photo, height, width, self.interpolation)


@TRANSFORMS.register_module()
class PhotoCenterCrop:
    """The square of ``size`` px in the middle: torchvision's ``CenterCrop``, of photos that are not smaller."""

    takes = ARRAY

    def __init__(self, size: int = 224) -> None:
        check_within(self, 1, math.inf, size=size)
        self.size = size

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        for photo in photos:
            spare = [side - self.size for side in photo.shape[:2]]
            if min(spare) < 0:
                fits = f'no square of {self.size} px fits into {photo.shape[0]} x {photo.shape[1]} px'
                raise ConfigError(f'PhotoCenterCrop: {fits}; put PhotoResize before it, or lower size')
            top, left = (round(rest / 2) for rest in spare)
            yield photo[top : top + self.size, left : left + self.size]


@TRANSFORMS.register_module(name=['PhotoFlip', 'BatchFlip'])
class PhotoFlip:
    """Mirrors left and right with probability ``p``: torchvision's ``RandomHorizontalFlip``."""

    takes = (ARRAY, BATCH)

    def __init__(self, p: float = 0.5) -> None:
        check_within(self, 0, 1, p=p)
        self.p = p

    def __call__(self, photos: Any, keys: np.ndarray) -> Any:
        mirrored = draw_mask(keys, self.p)
        if isinstance(photos, Tensor):
            sources = send(np.arange(len(photos)) + len(photos) * mirrored, photos.device)
            return torch.cat([photos, photos.flip(-1)]).index_select(0, sources)
        return (cv2.flip(photo, 1) if yes else photo for photo, yes in zip(photos, mirrored.tolist(), strict=True))


@TRANSFORMS.register_module()
class BatchCrop:
    """A random square of the image with a border of ``padding`` zeros: torchvision's ``RandomCrop``.

    Row and column of the corner are uniform over the places where the square fits.

    Shape: (N, 3, H, W) -> (N, 3, size, size).
    """

    takes = BATCH

    def __init__(self, size: int = 32, padding: int = 4) -> None:
        check_within(self, 1, math.inf, size=size)
        check_within(self, 0, math.inf, padding=padding)
        self.size, self.padding = size, padding

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
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
        starts = bordered.numel() - channel * (images.shape[1] - 1) - (row + column) * (self.size - 1)
        squares = bordered.as_strided((starts, images.shape[1], self.size, self.size), (1, channel, row, column))
        return squares.index_select(0, corners)

    def draw(self, keys: np.ndarray, places: list[int]) -> np.ndarray:
        """Rows and columns of the corners, below ``places``: int64 (2, N)."""
        return (uniforms(keys, 2) * places).astype(np.int64).T


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
        check_within(self, 0, 180, degrees=degrees)
        self.degrees = degrees

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
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
    """The maps from an output pixel to the input pixel under rotations (N,) about the centre, counter-clockwise.

    Height and width are below 2^14, or the products would not fit into 32 bits.

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
    return np.floor(coefficients * (1 << 16) + 0.5).astype(np.int32)


@TRANSFORMS.register_module()
class BatchResize:
    """Bilinear with antialiasing: torchvision's ``Resize`` of a square, on tensors.

    Its grey levels are within 2 of Pillow's; those of a GPU within 1 of the CPU's, which rounds between the two axes.

    Shape: (N, 3, H, W) -> (N, 3, size, size).
    """

    takes = BATCH

    def __init__(self, size: int = 224) -> None:
        check_within(self, 1, math.inf, size=size)
        self.size = size

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        return functional.resize(images, [self.size, self.size], antialias=True)


def _check_interpolation(owner: object, name: str) -> str:
    if name not in INTERPOLATIONS:
        hint = nearest_names(name, INTERPOLATIONS)
        raise ConfigError(f'{type(owner).__name__}: no interpolation is called {name!r}; {hint}')
    return name
