"""A loss that is not finite ends the run before it is written anywhere."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook

from binssl.registry import HOOKS, TrainingError


@HOOKS.register_module()
class NotANumberHook(Hook):
    """Stops with the first iteration whose loss was NaN or infinite; the checkpoints from before stay.

    On one CPU process it looks at every iteration. Elsewhere looking would wait for the device, so the first
    bad iteration is noted there and asked for every ``interval`` iterations and before each checkpoint is
    written.

    Raises:
        TrainingError: on every process, naming the iteration and the last good checkpoint.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self._first_bad: torch.Tensor | None = None

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        loss = outputs['loss'].detach()
        if self._first_bad is None:
            self._first_bad = torch.full((), -1, dtype=torch.int64, device=loss.device)
        alone = loss.device.type == 'cpu' and get_world_size() == 1
        if alone and math.isfinite(loss):  # the usual case of a CPU run costs a microsecond
            return
        bad = ~torch.isfinite(loss) & (self._first_bad < 0)
        self._first_bad.masked_fill_(bad, runner.iter + 1)
        if alone or (runner.iter + 1) % self.interval == 0:
            self._check(runner)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        self._check(runner)

    def after_train(self, runner: Any) -> None:
        self._check(runner)

    def _check(self, runner: Any) -> None:
        if self._first_bad is None:
            return
        first = self._first_bad.clone()
        all_reduce(first, op='max')
        if first >= 0:
            last = runner.last_checkpoint()
            kept = f'the last good checkpoint is {last}' if last else 'no checkpoint had been written yet'
            raise TrainingError(
                f'the loss was not finite at iteration {int(first)}; {kept}. Lower the learning rate, clip '
                'gradients (optim_wrapper.clip_grad=dict(max_norm=1.0)) or train without fp16'
            )
