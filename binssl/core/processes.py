"""Processes of a run: what one of them does for all, how many share a machine, the model below what joins them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from mmengine.dist import all_reduce, broadcast_object_list, get_world_size, is_main_process
from torch import Tensor

from binssl.registry import ConfigError

Result = TypeVar('Result')


def by_the_first(step: Callable[[], Result]) -> Result:
    """Run ``step`` in the first process; its result, or its error, in all of them.

    Args:
        step: gives plain data that can be sent.

    Raises:
        ConfigError: or OSError, as ``step`` raised it: nobody is left waiting.
    """
    outcome: list[Any] = [None]
    if is_main_process():
        try:
            outcome = [step()]
        except (ConfigError, OSError) as error:
            outcome = [error]
    broadcast_object_list(outcome)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _SumOverProcesses.forward(ctx, grad.contiguous())


def sum_over_processes(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes; its gradient is the sum of all processes' gradients.

    A loss made of such sums is the joined batch's in every process, and so is the mean of their gradients, which
    DistributedDataParallel takes. Every process must call it. mmengine's ``all_reduce`` has no gradient: for the log.

    Shape: any -> same.
    """
    return _SumOverProcesses.apply(tensor) if get_world_size() > 1 else tensor


class GreatestNumber:
    """A number of each process at each step, and the greatest of them, which all processes learn at the same step.

    With several processes that is one call later, so that nobody waits: neither for the others nor for a device.
    """

    def __init__(self) -> None:
        self._under_way: tuple[Tensor, Callable[[], object]] | None = None

    def give(self, number: int) -> int:
        """Called by all: the greatest number of the call before, 0 at the first; of this call, with one process."""
        if get_world_size() == 1:
            return number
        before, self._under_way = self._under_way, self._send(number)
        if before is None:
            return 0
        greatest, wait = before
        wait()
        return int(greatest)

    @staticmethod
    def _send(number: int) -> tuple[Tensor, Callable[[], object]]:
        """Where the greatest number will stand on the CPU, and what waits for it."""
        if torch.distributed.get_backend() != 'nccl':
            sent = torch.tensor(number)
            return sent, torch.distributed.all_reduce(sent, torch.distributed.ReduceOp.MAX, async_op=True).wait
        sent = torch.full((), number, device='cuda')
        torch.distributed.all_reduce(sent, torch.distributed.ReduceOp.MAX)
        received, event = sent.to('cpu', non_blocking=True), torch.cuda.Event()
        event.record()
        return received, event.synchronize


def processes_here() -> int:
    """How many processes of this run share this machine, by the launcher's word; 1 without one."""
    return int(os.environ.get('LOCAL_WORLD_SIZE', 1))


def unwrap(model: Any) -> Any:
    """What DistributedDataParallel wraps, or the model as it is."""
    return getattr(model, 'module', model)
