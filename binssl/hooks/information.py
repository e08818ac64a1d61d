"""BURN's trivial solution, said in words."""

from __future__ import annotations

from typing import Any

from binssl.hooks.watch import WarningHook
from binssl.registry import HOOKS


@HOOKS.register_module()
class InformationHook(WarningHook):
    """Warns when the target's classes say nothing about the image any more (BURN, arXiv:2110.08851).

    The joint loss is also solved by two constant classifiers; the mutual information of image and class then
    goes to 0.

    Args:
        least_nats: below this much ``information`` in a report, warn.
    """

    def __init__(self, least_nats: float = 0.1) -> None:
        super().__init__()
        self.least_nats = least_nats

    def after_report(self, runner: Any, values: dict[str, float]) -> None:
        information = values.get('information')
        if information is None:
            return
        self.judge(
            runner,
            'information',
            not information >= self.least_nats,
            f'the mutual information of image and class fell to {information:.3f} nat (below '
            f'{self.least_nats}): both classifiers are becoming constant and the KL term teaches '
            'nothing. Try train_target_head=False, or a lower rate for the target head '
            '(optim_wrapper.paramwise_cfg=dict(lr_mult=dict(target_head=0.01)))',
        )
