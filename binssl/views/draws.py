"""The random numbers of the photo transforms: which part is cropped, which samples are changed, and how much.

Pure functions of one uint64 counter key a sample, vectorised over the samples: in a worker and on a device a transform
draws the same from the same keys. The distributions are those of torchvision's transforms of one image.

Whether a sample is changed is drawn from its key itself, how much from a key derived from it: the two are independent,
and another ``p`` does not change the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from binssl.core.randomness import derive_keys, normals, uniforms
from binssl.registry import ConfigError

#: of ImageNet's pixels, RGB between 0 and 1; the vectors are the columns
EIGENVECTORS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
EIGENVALUES = np.array([0.2175, 0.0188, 0.0045])

Range = tuple[float, float]
Box = tuple[int, int, int, int]  # top, left, height, width

_PARAMETERS = 1  # the use of a key after the mask
_TRIES = 10  # of RandomResizedCrop


def draw_mask(keys: np.ndarray, p: float) -> np.ndarray:
    """Which samples are changed, with probability ``p`` each: bool (N,)."""
    return uniforms(keys, 1)[:, 0] < p


def draw_crops(keys: np.ndarray, scale: Sequence[float], ratio: Sequence[float]) -> Iterator[Callable[[int, int], Box]]:
    """torchvision's ``RandomResizedCrop.get_params`` (GoogLeNet's crop, arXiv:1409.4842).

    Ten times an area ~ U(scale) x H W and a log aspect ratio ~ U(log ratio) are drawn; the first box that fits is
    taken, its corner uniform over the places that it has. Where none fits it is the largest box in the middle whose
    aspect ratio is allowed.

    Returns:
        For each key a function from its image's height and width, once they are known, to the box.
    """
    drawn = uniforms(derive_keys(keys, _PARAMETERS), 2 * _TRIES + 2)
    shares, ratios = _spread(scale, drawn[:, :_TRIES]), np.exp(_spread(np.log(ratio), drawn[:, _TRIES:-2]))
    sides = np.sqrt(np.stack([shares / ratios, shares * ratios], axis=-1))  # in units of the square root of H W
    # plain numbers take a tenth of numpy's time for one image
    return map(partial(partial, _place_box, ratio), sides.tolist(), drawn[:, -2:].tolist())


def _place_box(ratio: Sequence[float], sides: list[list[float]], corner: list[float], height: int, width: int) -> Box:
    root = math.sqrt(height * width)
    for tall, wide in sides:
        box_height, box_width = round(root * tall), round(root * wide)
        if 0 < box_height <= height and 0 < box_width <= width:
            top, left = int(corner[0] * (height - box_height + 1)), int(corner[1] * (width - box_width + 1))
            return top, left, box_height, box_width
    # width / height of the whole is beyond the limits, or near them
    box_height = min(height, max(1, round(width / ratio[0]))) if width < ratio[0] * height else height
    box_width = min(width, max(1, round(height * ratio[1]))) if width > ratio[1] * height else width
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def draw_jitter(keys: np.ndarray, ranges: Sequence[Range | None]) -> tuple[np.ndarray, np.ndarray]:
    """torchvision's ``ColorJitter.get_params``, from uint64 (N,) and the ranges of :func:`jitter_ranges`.

    Returns:
        The factors, float64 (N, 4), uniform in their ranges, neutral (1, 1, 1, 0) where there is none; and the order,
        int64 (N, 4): ``order[n, k]`` is what is done k-th, 0 brightness, 1 contrast, 2 saturation, 3 hue, any order
        being as likely as any other.
    """
    drawn = uniforms(derive_keys(keys, _PARAMETERS), 8)
    neutral = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0))
    given = np.array([usual if own is None else own for own, usual in zip(ranges, neutral, strict=True)])
    return _spread(given.T, drawn[:, :4]), drawn[:, 4:].argsort(axis=1, kind='stable')


def draw_sigma(keys: np.ndarray, sigma: Range) -> np.ndarray:
    """Standard deviations of a blur, in pixels, uniform between two: float64 (N,)."""
    return _spread(sigma, uniforms(derive_keys(keys, _PARAMETERS), 1)[:, 0])


def draw_lighting(keys: np.ndarray, alphastd: float) -> np.ndarray:
    """Shifts of R, G and B in grey levels, 255 V (a * l), a ~ N(0, alphastd^2) thrice: float64 (N, 3)."""
    alphas = alphastd * normals(derive_keys(keys, _PARAMETERS), 3)
    return 255 * (alphas * EIGENVALUES) @ EIGENVECTORS.T


def gaussian_taps(sigmas: np.ndarray) -> np.ndarray:
    """Rows of a Gaussian filter, each cut off at a radius of its own, about three of the standard deviations (N,).

    The radius is that of cv2's ``GaussianBlur`` of uint8: half of ``round(6 sigma + 1)``, made odd.

    Returns:
        float64 (N, 2 R + 1), R the largest radius; rows sum to 1 and are 0 beyond their own radius.
    """
    radii = (np.rint(6 * sigmas + 1).astype(np.int64) | 1) // 2
    places = np.arange(-radii.max(initial=0), radii.max(initial=0) + 1)
    taps = np.exp(-0.5 * (places / sigmas[:, None]) ** 2) * (np.abs(places) <= radii[:, None])
    return taps / taps.sum(axis=1, keepdims=True)


def _spread(limits: Sequence | np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """U[0, 1) -> U[low, high)."""
    return limits[0] + (limits[1] - limits[0]) * drawn


def jitter_ranges(owner: str, **given: float | Sequence[float]) -> tuple[Range | None, ...]:
    """Where the factors of ``ColorJitter`` are drawn from, by torchvision's rules; None where nothing is changed.

    A number b means (max(0, 1 - b), 1 + b), for the hue (-b, b) within +-0.5; a pair is taken as it is.
    """
    ranges: list[Range | None] = []
    for name, value in given.items():
        neutral, least, most = (0.0, -0.5, 0.5) if name == 'hue' else (1.0, 0.0, math.inf)
        pair = tuple(value) if isinstance(value, Sequence) else (max(least, neutral - value), neutral + value)
        if len(pair) != 2 or not least <= pair[0] <= pair[1] <= most or math.isinf(pair[1]):
            rule = f'a number from 0 on, or two, lowest <= highest, between {least:g} and {most:g}'
            raise ConfigError(f'{owner}: {name} {value!r} must be {rule}')
        ranges.append(None if pair == (neutral, neutral) else (float(pair[0]), float(pair[1])))
    return tuple(ranges)


def check_within(owner: object, least: float, most: float, **settings: float) -> None:
    """Raise a ConfigError unless each of the ``settings`` of ``owner`` lies between ``least`` and ``most``."""
    for name, value in settings.items():
        if not least <= value <= most:
            rule = f'be at least {least}' if math.isinf(most) else f'lie between {least} and {most}'
            raise ConfigError(f'{type(owner).__name__}: {name} {value} must {rule}')


def check_pair(owner: object, pair: Sequence[float], name: str, most: float = math.inf) -> Range:
    """The two numbers between which the setting ``name`` of ``owner`` is drawn, positive and in order."""
    if len(pair) != 2 or not 0 < pair[0] <= pair[1] <= most:
        rule = '0 < lowest <= highest' + ('' if math.isinf(most) else f' <= {most}')
        raise ConfigError(f'{type(owner).__name__}: {name} {pair} must be two numbers, {rule}')
    return float(pair[0]), float(pair[1])
