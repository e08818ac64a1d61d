"""Crops and flips of photos as arrays, uint8 (H, W, 3), RGB, each with one counter key: what loader workers do.

A transform takes the photos of a batch one after the other, as they are decoded, and gives them on, so that few are
held. It draws for all of them at once, from ``binssl.views.draws``. The distributions are those of torchvision's
transforms of one PIL image, which stay as the reference (``torchvision/NAME``). ``Batch...`` transforms of the same
names do the same to a whole batch on its device. Colours and blur: ``array_colors``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from binssl.registry import TRANSFORMS, ConfigError, nearest_names
from binssl.views.array_pixels import INTERPOLATIONS, mirror, resize
from binssl.views.build import ARRAY
from binssl.views.draws import check_probability, draw_boxes, draw_mask, place_box

Photos = Iterable[np.ndarray]


def change_some(photos: Photos, chosen: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> Photos:
    """``change`` of the photos that are ``chosen``, bool (N,)."""
    return (change(photo) if yes else photo for photo, yes in zip(photos, chosen.tolist(), strict=True))


@TRANSFORMS.register_module()
class PhotoCrop:
    """A random part of the photo, resized: torchvision's ``RandomResizedCrop``.

    Args:
        size: height and width of what comes out.
        scale: least and largest share of the photo's area.
        ratio: least and largest width / height, drawn on a logarithmic scale.
        interpolation: 'antialias' as torchvision's and Pillow's bilinear, 'bicubic' as theirs (both within 2 grey
            levels), or 'linear', cv2's, faster: it does not smooth where it shrinks, which makes finer and noisier
            pictures than the published ones.
    """

    takes = ARRAY

    def __init__(
        self,
        size: int = 224,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: str = 'antialias',
    ) -> None:
        _check_size('PhotoCrop', size)
        if len(scale) != 2 or not 0 < scale[0] <= scale[1] <= 1:
            raise ConfigError(f'PhotoCrop: scale {scale} must be two shares of the area, 0 < lowest <= highest <= 1')
        if len(ratio) != 2 or not 0 < ratio[0] <= ratio[1]:
            raise ConfigError(f'PhotoCrop: ratio {ratio} must be two numbers width / height, 0 < lowest <= highest')
        _check_interpolation('PhotoCrop', interpolation)
        self.size, self.scale, self.ratio, self.interpolation = size, tuple(scale), tuple(ratio), interpolation

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Crops by one uint64 key a photo."""
        sides, corners = draw_boxes(keys, self.scale, self.ratio)
        for photo, boxes, corner in zip(photos, sides.tolist(), corners.tolist(), strict=True):
            top, left, height, width = place_box(boxes, corner, photo.shape[0], photo.shape[1], self.ratio)
            yield resize(photo[top : top + height, left : left + width], self.size, self.size, self.interpolation)


@TRANSFORMS.register_module()
class PhotoResize:
    """The whole photo, its shorter side ``size`` px, its shape kept: torchvision's ``Resize``.

    Args:
        size: of the shorter side; the longer one is cut down to a whole number.
        interpolation: as in ``PhotoCrop``.
    """

    takes = ARRAY

    def __init__(self, size: int = 256, interpolation: str = 'antialias') -> None:
        _check_size('PhotoResize', size)
        _check_interpolation('PhotoResize', interpolation)
        self.size, self.interpolation = size, interpolation

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Resizes; nothing is drawn from the keys."""
        return map(self._resize, photos)

    def _resize(self, photo: np.ndarray) -> np.ndarray:
        shorter = min(photo.shape[:2])
        height, width = (int(self.size * side / shorter) for side in photo.shape[:2])
        return resize(photo, height, width, self.interpolation)


@TRANSFORMS.register_module()
class PhotoCenterCrop:
    """The square in the middle: torchvision's ``CenterCrop``, of photos that are not smaller.

    Args:
        size: height and width of the square.
    """

    takes = ARRAY

    def __init__(self, size: int = 224) -> None:
        _check_size('PhotoCenterCrop', size)
        self.size = size

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Crops; nothing is drawn from the keys."""
        return map(self._crop, photos)

    def _crop(self, photo: np.ndarray) -> np.ndarray:
        spare = [side - self.size for side in photo.shape[:2]]
        if min(spare) < 0:
            raise ConfigError(
                f'PhotoCenterCrop: no square of {self.size} px fits into {photo.shape[0]} x {photo.shape[1]} px; '
                'put PhotoResize before it, or lower size'
            )
        top, left = (round(rest / 2) for rest in spare)
        return photo[top : top + self.size, left : left + self.size]


@TRANSFORMS.register_module()
class PhotoFlip:
    """Mirrors left and right: torchvision's ``RandomHorizontalFlip``.

    Args:
        p: how often.
    """

    takes = ARRAY

    def __init__(self, p: float = 0.5) -> None:
        check_probability('PhotoFlip', p)
        self.p = p

    def __call__(self, photos: Photos, keys: np.ndarray) -> Photos:
        """Mirrors some, by one uint64 key a photo."""
        return change_some(photos, draw_mask(keys, self.p), mirror)


def _check_size(owner: str, size: int) -> None:
    if size < 1:
        raise ConfigError(f'{owner}: size {size} must be at least 1')


def _check_interpolation(owner: str, name: str) -> None:
    if name not in INTERPOLATIONS:
        raise ConfigError(f'{owner}: no interpolation is called {name!r}; {nearest_names(name, INTERPOLATIONS)}')
