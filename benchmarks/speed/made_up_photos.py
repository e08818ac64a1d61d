"""Photos made up from a seed, like photographs in what a decoder's work hangs on: bytes and pixels.

500 x 375 px and near it, a quarter of them upright, quality 90, 4:2:0, 90 KB on average. Each is noise of the amplitude
spectrum 1/f^a, as photographs have it, with a ~ U(1, 1.4) (1.2 on average in 135 photographs: Tolhurst, Tadmor and
Chao, 1992), a contrast of 40 to 60 grey levels (standard deviation) in luma and of 8 to 16 in each chroma. They have no
edges and no flat sky.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SHAPES = ((500, 375), (500, 375), (500, 333), (375, 500))  # width and height, all as likely


def noise(generator: np.random.RandomState, height: int, width: int, exponent: float) -> np.ndarray:
    """Gaussian noise with the amplitude spectrum 1/f^exponent, mean 0, standard deviation 1: float64 (H, W)."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf  # no mean
    phases = generator.normal(size=(2, *frequency.shape))
    field = np.fft.irfft2((phases[0] + 1j * phases[1]) * frequency**-exponent, s=(height, width))
    return field / field.std()


def make_photo(generator: np.random.RandomState) -> Image.Image:
    """A picture with a photo's spectrum; see the module's docstring."""
    width, height = SHAPES[generator.randint(len(SHAPES))]
    exponent, luma, chroma = generator.uniform([1.0, 40, 8], [1.4, 60, 16])
    levels = [128 + deviation * noise(generator, height, width, exponent) for deviation in (luma, chroma, chroma)]
    return Image.fromarray(np.clip(np.stack(levels, axis=-1), 0, 255).astype(np.uint8), 'YCbCr')


def make_photos(folder: Path, count: int) -> Path:
    """Writes ``count`` made-up photos into class folders of ``folder``, and returns it."""
    generator = np.random.RandomState(0)
    for number in range(count):
        path = folder / f'class{number % 4}' / f'photo{number}.JPEG'
        path.parent.mkdir(parents=True, exist_ok=True)
        make_photo(generator).save(path, quality=90)
    return folder
