"""No parameter without a gradient, unnoticed."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook

from binssl.core.processes import unwrap
from binssl.registry import HOOKS, TrainingError


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
        without = [name for name, p in trained.items() if p.grad is None]
        if without:
            shown = ', '.join(without[:10]) + (f' and {len(without) - 10} more' if len(without) > 10 else '')
            raise TrainingError(
                f'{len(without)} of {len(trained)} trainable parameters got no gradient in the first step: '
                f'{shown}. Freeze them (requires_grad False) or let the loss use them'
            )
        zero = [name for name, p in trained.items() if not torch.count_nonzero(p.grad)]
        if zero:
            runner.logger.info(f'gradient audit: all zero in the first step: {", ".join(zero)}')
        runner.logger.info(f'gradient audit: all {len(trained)} trainable tensors got a gradient')
