"""BURN's trivial solution, said in words."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from binssl.registry import HOOKS


@HOOKS.register_module()
class InformationHook(Hook):
    """Warns when the target's classes say nothing about the image any more (BURN, arXiv:2110.08851).

    The joint loss is also solved by two constant classifiers; the mutual information of image and class then
    goes to 0.

    Args:
        least_nats: below this much ``information`` in a report, warn.
    """

    priority = 'NORMAL'

    def __init__(self, least_nats: float = 0.1) -> None:
        self.least_nats = least_nats
        self._warned = False

    def after_report(self, runner: Any, values: dict[str, float]) -> None:
        information = values.get('information')
        if information is None or information >= self.least_nats:
            self._warned = False
        elif not self._warned:
            self._warned = True
            runner.logger.warning(
                f'the mutual information of image and class fell to {information:.3f} nat (below '
                f'{self.least_nats}): both classifiers are becoming constant and the KL term teaches '
                'nothing. Try train_target_head=False, or a lower rate for the target head '
                '(optim_wrapper.paramwise_cfg=dict(lr_mult=dict(target_head=0.01)))'
            )
