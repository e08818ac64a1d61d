"""The colour shift of the published pipelines."""

import numpy as np
import pytest
import torch
from PIL import Image

from binssl.registry import ConfigError
from binssl.views import Lighting

VECTORS = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
VALUES = [0.2175, 0.0188, 0.0045]


def picture() -> np.ndarray:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    return np.stack([levels, levels[::-1], levels.T], axis=2)


def drawn_shift(seed: int, alphastd: float) -> list[float]:
    """Sum over the components of alpha x value x vector, by a plain loop, for a generator that starts at ``seed``."""
    torch.manual_seed(seed)
    alphas = (torch.randn(3, dtype=torch.float64) * alphastd).tolist()
    return [sum(VECTORS[channel][k] * alphas[k] * VALUES[k] for k in range(3)) for channel in range(3)]


@pytest.mark.parametrize('alphastd', [0.1, 2.0])
@pytest.mark.parametrize('seed', range(4))
def test_it_shifts_as_noise_before_the_normalisation_does(seed, alphastd):
    shift = np.array(drawn_shift(seed, alphastd))
    torch.manual_seed(seed)
    out = np.asarray(Lighting(alphastd)(Image.fromarray(picture())))
    between_to_tensor_and_normalize = picture() / 255 + shift
    expected = np.clip(between_to_tensor_and_normalize, 0, 1) * 255
    assert np.abs(out - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize('seed', range(4))
def test_as_released_it_changes_one_level_at_most(seed):
    shift = np.array(drawn_shift(seed, 0.1))
    torch.manual_seed(seed)
    out = np.asarray(Lighting(as_released=True)(Image.fromarray(picture())))
    expected = np.clip(picture() + shift, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(out, expected)
    assert np.abs(out.astype(int) - picture()).max() == 1


def test_without_noise_the_image_stays():
    np.testing.assert_array_equal(np.asarray(Lighting(0.0)(Image.fromarray(picture()))), picture())


def test_a_negative_deviation_is_an_error():
    with pytest.raises(ConfigError, match='Lighting: alphastd -1 must be at least 0'):
        Lighting(-1)
