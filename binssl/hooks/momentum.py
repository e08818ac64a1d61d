"""The momentum teacher follows once per optimiser step."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from binssl.registry import HOOKS, ConfigError


@HOOKS.register_module()
class MomentumUpdateHook(Hook):
    """Calls ``model.teacher.update()`` after each optimiser step, however many batches one accumulates.

    The runner adds it to every run whose model has a momentum teacher. MoCo (arXiv:1911.05722) updates at the
    start of the next step; with nothing in between that is the same sequence.
    """

    priority = 'NORMAL'

    def before_train(self, runner: Any) -> None:
        model = getattr(runner.model, 'module', runner.model)
        if not hasattr(getattr(model, 'teacher', None), 'update'):
            raise ConfigError(
                f'MomentumUpdateHook needs a model with a momentum teacher; {type(model).__name__} has none'
            )

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if runner.optim_wrapper.should_update():
            getattr(runner.model, 'module', runner.model).teacher.update()
