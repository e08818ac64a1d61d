"""Random numbers of the model by counter, so that a pause changes nothing."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from binssl.registry import HOOKS

_MASK = 2**64 - 1


def counter_seed(*counters: int) -> int:
    """A 63-bit seed for ``counters``, by SplitMix64's finaliser over each of them."""
    state = 0
    for counter in counters:
        state = (state + counter + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


@HOOKS.register_module()
class CounterSeedHook(Hook):
    """Seeds torch's generators from (seed, rank, iteration) before each iteration.

    Dropout, a random queue, whatever the model draws, is then the same after a resume as without a pause, and
    validation in between takes nothing away. (Data have counters of their own.)
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        seed = counter_seed(runner.seed, get_rank(), runner.iter)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed costs a hundred times as much
        if torch.cuda.is_initialized():
            torch.cuda.default_generators[torch.cuda.current_device()].manual_seed(seed)
