"""What is frozen is the same at the end, to the bit."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from binssl.core.processes import unwrap
from binssl.registry import HOOKS, TrainingError


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
