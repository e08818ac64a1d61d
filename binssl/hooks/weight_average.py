"""Averages of the weights over the steps of a run."""

from __future__ import annotations

from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from binssl.core.precision import follow
from binssl.core.processes import unwrap
from binssl.registry import HOOKS, ConfigError

STILL_THE_START = 0.05  # a larger share of the first weights in the last average is worth a warning


@HOOKS.register_module()
class WeightAverageHook(Hook):
    """Exponential moving average of what learns: ``a <- decay a + (1 - decay) w`` after each optimiser step.

    A step that loss scaling skips leaves it alone. It starts as the weights that the run starts with. Validation sees
    it, and a checkpoint holds it as ``state_dict``, so that tests, extraction, a teacher and ``load_from`` take it;
    ``raw_state_dict`` holds the weights that a resumed run goes on with. Only parameters are averaged: what else a
    network keeps, BatchNorm's statistics above all, is in both as training left it. For binary weights the average is
    of the real ones behind the signs.

    Args:
        decay: share that a step leaves, in (0, 1); the average is over about 1 / (1 - decay) steps.

    Raises:
        ConfigError: decay outside (0, 1), or the run resumes from a checkpoint that holds no average.
    """

    priority = 'NORMAL'  # before the checkpoint is written

    def __init__(self, decay: float = 0.9999) -> None:
        if not 0 < decay < 1:
            raise ConfigError(
                f'decay {decay!r} of WeightAverageHook must lie between 0 and 1; 0.9999 averages over '
                'about 10,000 steps'
            )
        self.decay = decay
        self._weights: dict[str, Tensor] = {}
        self._average: dict[str, Tensor] = {}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        if 'raw_state_dict' not in checkpoint:
            raise ConfigError(
                'the checkpoint to resume from was written without WeightAverageHook and holds no average: resume '
                'without the hook, or start a new run from its weights (load_from)'
            )
        saved, checkpoint['state_dict'] = checkpoint['state_dict'], checkpoint.pop('raw_state_dict')
        self._weights = _learning(runner)
        if wrong := [name for name, w in self._weights.items() if getattr(saved.get(name), 'shape', None) != w.shape]:
            raise ConfigError(f'the average in the checkpoint has no {wrong[0]} of the right shape: take another file')
        self._average = {name: saved[name].to(weight) for name, weight in self._weights.items()}

    def before_train(self, runner: Any) -> None:
        if not self._weights:
            self._weights = _learning(runner)
            self._average = {name: weight.clone() for name, weight in self._weights.items()}
        runner.say(
            'weights averaged with decay %g: validation and checkpoints see the average; raw_state_dict of a '
            'checkpoint holds the weights that training goes on with',
            self.decay,
        )
        steps = runner.max_iters // runner.accumulative_counts
        share = self.decay**steps
        if share > STILL_THE_START:
            runner.logger.warning(
                f'after the {steps} optimiser steps of this run the average will still be {100 * share:.0f} % the '
                f'weights that it started with: lower decay {self.decay:g} of WeightAverageHook'
            )

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.optim_wrapper.should_update():
            averages, weights = [*self._average.values()], [*self._weights.values()]
            follow(averages, weights, 1 - self.decay, runner.optim_wrapper.step_taken)

    def before_val_epoch(self, runner: Any) -> None:
        self._exchange()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        self._exchange()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        if is_main_process():  # which writes
            raw = checkpoint['state_dict']
            checkpoint['raw_state_dict'] = raw
            checkpoint['state_dict'] = {**raw, **{name: average.cpu() for name, average in self._average.items()}}
            checkpoint['meta']['weight_average_decay'] = self.decay

    def _exchange(self) -> None:
        """Put the average where the weights are, and them where it was."""
        for name, weight in self._weights.items():
            kept = weight.clone()
            weight.copy_(self._average[name])
            self._average[name].copy_(kept)


def _learning(runner: Any) -> dict[str, Tensor]:
    """What the optimiser moves, by name; the memory of the model itself."""
    named = unwrap(runner.model).named_parameters()
    return {name: weight.detach() for name, weight in named if weight.requires_grad}
