"""Randomness by counter: numbers are a function of (seed, epoch, index, stream), not of earlier draws.

A sample therefore looks the same whoever loads it: any number of workers or processes, any batch, and a
run that was resumed in the middle of an epoch.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
State = TypeVar('State', int, np.ndarray)


def mix(state: State) -> State:
    """SplitMix64's output function (Steele, Lea, Flood, OOPSLA 2014), a bijection of uint64: of an array or an int."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & _MASK  # an int has more bits
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _MASK
    return state ^ (state >> 31)


def hash_counters(seed: int, epochs: np.ndarray | int, indices: np.ndarray | int, stream: int = 0) -> np.ndarray:
    """One key for each sample, uint64 (N,), of integers (N,) or one for all; of scalars (1,).

    ``stream`` tells uses of the same sample apart (view 0, view 1, ...).
    """
    key = np.full(1, (seed + _GOLDEN) & _MASK, dtype=np.uint64)
    for part in (epochs, indices, stream):
        counter = np.atleast_1d(np.asarray(part, dtype=np.int64)).astype(np.uint64)
        key = _advance(key, counter)
    return key


def _advance(keys: np.ndarray, counters: np.ndarray) -> np.ndarray:
    return mix(mix(keys) + counters + np.uint64(_GOLDEN))


def derive_keys(keys: np.ndarray, counter: int) -> np.ndarray:
    """Other keys, uint64 (N,), for the ``counter``-th use of the same samples."""
    return _advance(keys, np.full(1, counter, dtype=np.uint64))


def counter_seed(*counters: int) -> int:
    """A 63-bit seed for ``counters``."""
    state = 0
    for counter in counters:
        state = mix((state + counter + _GOLDEN) & _MASK)
    return state >> 1


def split_keys(keys: Sequence[int | tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Indices and epochs, int64 (N,) each, of what a loader asks for: (index, epoch), a bare index meaning epoch 0."""
    pairs = [key if isinstance(key, tuple) else (key, 0) for key in keys]
    indices, epochs = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return np.ascontiguousarray(indices), np.ascontiguousarray(epochs)


def uniforms(keys: np.ndarray, count: int) -> np.ndarray:
    """``count`` numbers of U[0, 1) for each key, uint64 (N,): SplitMix64 started at the key.

    Returns:
        float64 (N, count), multiples of 2^-53.
    """
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    return (mix(keys[:, None] + steps) >> np.uint64(11)) * 2.0**-53


def normals(keys: np.ndarray, count: int) -> np.ndarray:
    """``count`` numbers of N(0, 1) for each key, by Box and Muller: float64 (N, count)."""
    half = (count + 1) // 2
    drawn = uniforms(keys, 2 * half)
    radius = np.sqrt(-2.0 * np.log1p(-drawn[:, :half]))
    angle = 2.0 * np.pi * drawn[:, half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :count]


def permutation(seed: int, epoch: int, length: int) -> np.ndarray:
    """A random order of ``range(length)`` that (seed, epoch) alone decide: int64 (length,)."""
    return np.argsort(hash_counters(seed, epoch, np.arange(length), stream=-1), kind='stable')


@contextmanager
def seeded_generators(key: int) -> Iterator[None]:
    """Inside, the generators of torch (CPU), numpy and random start at ``key``; then all is as it was.

    For transforms that draw from them. A loader without workers runs in the training process, whose own
    randomness (dropout) must not notice.
    """
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    # default_generator: torch.manual_seed would seed every accelerator as well, at a hundred times the cost
    torch.default_generator.manual_seed(key)
    np.random.seed(key & 0xFFFFFFFF)
    random.seed(key)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
