"""A momentum teacher follows once per optimiser step."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from binssl.core.processes import unwrap
from binssl.registry import HOOKS, ConfigError


@HOOKS.register_module()
class MomentumUpdateHook(Hook):
    """Calls ``update()`` of the model's momentum teachers after each optimiser step, whatever the accumulation.

    A part of the model with that method and ``restart()`` is one. The runner adds the hook to every run whose model
    has any. MoCo (arXiv:1911.05722) updates at the start of the next step; with nothing in between that is the same.
    """

    priority = 'NORMAL'
    _teachers: list[Any]

    def before_train(self, runner: Any) -> None:
        model = unwrap(runner.model)
        self._teachers = [part for part in model.children() if hasattr(part, 'update') and hasattr(part, 'restart')]
        if not self._teachers:
            raise ConfigError(
                f'MomentumUpdateHook needs a model with a momentum teacher; {type(model).__name__} has none'
            )

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.optim_wrapper.should_update():
            for teacher in self._teachers:
                teacher.update()
