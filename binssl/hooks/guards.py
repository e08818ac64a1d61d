"""Guards of a run: every parameter gets a gradient, every loss is finite, frozen parts do not change."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from torch import Tensor, nn

from binssl.core.processes import unwrap
from binssl.registry import HOOKS, ConfigError, TrainingError


@HOOKS.register_module()
class GradientAuditHook(Hook):
    """Looks at the gradients of the run's first optimiser step.

    Raises:
        TrainingError: a trainable parameter got none: it would never learn, or the loss was computed without
            gradients. (All zeros are only named in the log file: the bias before a BatchNorm has them by nature.)
    """

    priority = 'NORMAL'

    def before_train(self, runner: Any) -> None:
        steps = runner.optim_wrapper.before_step

        def audit_once() -> None:
            steps.remove(audit_once)
            self._audit(runner)

        steps.insert(0, audit_once)  # before anything that takes gradients away

    def _audit(self, runner: Any) -> None:
        trained = {name: p for name, p in unwrap(runner.model).named_parameters() if p.requires_grad}
        if without := [name for name, p in trained.items() if p.grad is None]:
            shown = ', '.join(without[:10]) + (f' and {len(without) - 10} more' if len(without) > 10 else '')
            raise TrainingError(
                f'{len(without)} of {len(trained)} trainable parameters got no gradient in the first step: '
                f'{shown}. Freeze them (requires_grad False) or let the loss use them'
            )
        if zero := [name for name, p in trained.items() if not torch.count_nonzero(p.grad)]:
            runner.logger.info(f'gradient audit: all zero in the first step: {", ".join(zero)}')
        runner.logger.info(f'gradient audit: all {len(trained)} trainable tensors got a gradient')


LEAST_LOSS_SCALE = 2.0**-14  # 30 skipped steps below where a scaler starts; gradients so large help nobody


@HOOKS.register_module()
class NotANumberHook(Hook):
    """Stops with the first iteration whose loss was NaN or infinite; the checkpoints from before stay.

    Likewise where loss scaling skips every step, as some gradient is not finite at any scale.

    On one CPU process it looks at every iteration. Elsewhere looking would wait for the device, so the first
    bad iteration is noted there and asked for every ``interval`` iterations and before each checkpoint is
    written.

    Raises:
        TrainingError: on every process, naming the iteration and the last good checkpoint.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise ConfigError(f'interval of NotANumberHook is {interval!r}; it must be an integer of at least 1')
        self.interval = interval
        self._first_bad: Tensor | None = None

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        loss = outputs['loss'].detach()
        if self._first_bad is None:
            self._first_bad = torch.full((), -1, dtype=torch.int64, device=loss.device)
        alone = loss.device.type == 'cpu' and get_world_size() == 1
        due = (runner.iter + 1) % self.interval == 0
        if alone and math.isfinite(loss) and not due:  # the usual case of a CPU run costs a microsecond
            return
        bad = ~torch.isfinite(loss) & (self._first_bad < 0)
        self._first_bad.masked_fill_(bad, runner.iter + 1)
        if alone or due:
            self._check(runner)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        self._check(runner)

    def after_train(self, runner: Any) -> None:
        self._check(runner)

    def _check(self, runner: Any) -> None:
        if self._first_bad is None:
            return
        scale = runner.optim_wrapper.loss_scale
        if scale is not None and scale < LEAST_LOSS_SCALE:
            raise TrainingError(
                f'the loss scale of fp16 fell to {scale:.3g} by iteration {runner.iter + 1}: no scale gives finite '
                'gradients, so every step is skipped and nothing is learned. Look for what has no gradient at its '
                "input, such as the root of 0, or train in optim_wrapper.precision='bf16', or None"
            )
        first = self._first_bad.clone()
        all_reduce(first, op='max')
        if first >= 0:
            last = runner.last_checkpoint()
            kept = f'the last good checkpoint is {last}' if last else 'no checkpoint had been written yet'
            raise TrainingError(
                f'the loss was not finite at iteration {int(first)}; {kept}. Lower the learning rate, clip '
                'gradients (optim_wrapper.clip_grad=dict(max_norm=1.0)) or train without fp16'
            )


@HOOKS.register_module()
class FrozenHook(Hook):
    """Compares the model's ``frozen`` parts with what they were at the start, bit for bit.

    Weights and buffers, which are the statistics of BatchNorms, are looked at before each checkpoint is written and
    when training ends: a number of a linear evaluation is one of the trunk that was given. A detector's frozen
    BatchNorms are looked at likewise. The copy is held in the memory of the CPU.

    Raises:
        TrainingError: a tensor differs; the checkpoint is not written.
    """

    priority = 'LOW'

    def __init__(self) -> None:
        self._before: dict[str, Tensor] = {}

    def before_train(self, runner: Any) -> None:
        self._before = {name: value.cpu().clone() for name, value in frozen_state(unwrap(runner.model)).items()}

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        self._compare(runner)

    def after_train(self, runner: Any) -> None:
        self._compare(runner)

    def _compare(self, runner: Any) -> None:
        for name, value in frozen_state(unwrap(runner.model)).items():
            before = self._before[name]
            if not torch.equal(_bits(value.cpu()), _bits(before)):
                raise TrainingError(
                    f'{name} of a frozen part has changed in training, by up to '
                    f'{float((value.cpu().double() - before.double()).abs().max()):.3g}: something writes to it, such '
                    'as a hook, a second owner of the weights, or a BatchNorm that is not in eval mode'
                )


def frozen_state(model: nn.Module) -> dict[str, Tensor]:
    """Every weight and buffer of the parts that ``model.frozen`` names, by its name in the state dict."""
    parts: Any = getattr(model, 'frozen', ())
    return {
        f'{part}.{name}': value.detach()
        for part in parts
        for name, value in model.get_submodule(part).state_dict().items()
    }


def _bits(value: Tensor) -> Tensor:
    """The bytes: -0 is not 0 there, and a NaN is itself."""
    return value.contiguous().reshape(-1).view(torch.uint8)
