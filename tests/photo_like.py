"""Made-up pictures with soft shapes, edges and grain, as photos have them."""

import numpy as np


def make_photo(seed: int = 0, height: int = 96, width: int = 128) -> np.ndarray:
    """uint8 (height, width, 3)."""
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:height, :width] / max(height, width)
    waves = generator.uniform(2, 9, (3, 2)) * np.pi
    soft = np.stack([np.sin(a * row + b * column) for a, b in waves], axis=-1)
    disc = (row - 0.4) ** 2 + (column - 0.5) ** 2 < 0.04
    levels = 120 + 70 * soft + 50 * disc[..., None] + generator.normal(0, 6, (height, width, 3))
    return np.clip(levels, 0, 255).astype(np.uint8)
