"""The supervised configs that repeat published trainings, each read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mmengine.config import Config

from binssl.engine.config import load_config

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs/supervised'
PUBLISHED = sorted(
    path.relative_to(CONFIGS).with_suffix('').as_posix()
    for folder in ('recu', 'bireal', 'reactnet')
    for path in (CONFIGS / folder).glob('*.py')
    if not path.stem.endswith('_digits')
)
BIREAL_STEPS = ('relu', 'leaky_clip', 'clip', 'binary', 'norms')


@cache
def read(name: str) -> Config:
    """The config of that name; for all tests, so it is not to be changed."""
    return load_config(CONFIGS / name)
