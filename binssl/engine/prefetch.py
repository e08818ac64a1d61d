"""Prefetching: the next batch travels to a CUDA device while this one computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

ON_THE_CPU = ('keys',)  # what is drawn from them is drawn there


class CudaLane:
    """Copies to a CUDA device in a stream of its own.

    The copies overlap with the computation where the batches lie in pinned memory (``pin_memory`` of the loader); from
    other memory the device is as fast, but the process waits.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.stream = device, torch.cuda.Stream(device)

    def send(self, batch: Any) -> Any:
        """Set the batch off, without waiting for it; what comes back may be used once received."""
        with torch.cuda.stream(self.stream):
            return move(batch, self.device)

    def receive(self, batch: Any) -> None:
        """The current stream waits for the copies, and their memory is not given away before it is done with them."""
        current = torch.cuda.current_stream(self.device)
        current.wait_stream(self.stream)
        for part in leaves(batch):
            if isinstance(part, Tensor) and part.device.type == 'cuda':
                part.record_stream(current)


def prefetch(batches: Iterator[Any], device: torch.device) -> Iterator[Any]:
    """The same batches: a CUDA device holds one more, each there when it is asked for; elsewhere as they come."""
    return one_ahead(batches, CudaLane(device)) if device.type == 'cuda' else batches


def one_ahead(batches: Iterator[Any], lane: CudaLane) -> Iterator[Any]:
    """Each batch through the lane; the next one is sent before this one is handed over."""
    sent = [lane.send(first) for first in islice(batches, 1)]
    while sent:
        batch = sent.pop()
        lane.receive(batch)  # before the next is sent, for which nobody has to wait yet
        sent = [lane.send(coming) for coming in islice(batches, 1)]
        yield batch


def move(batch: Any, device: torch.device) -> Any:
    """The batch with its tensors on the device, but for those :data:`ON_THE_CPU`."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {key: part if key in ON_THE_CPU else move(part, device) for key, part in batch.items()}
    if isinstance(batch, Sequence) and not isinstance(batch, str):
        return [move(part, device) for part in batch]
    return batch


def leaves(batch: Any) -> Iterator[Any]:
    """All parts of a batch, or of a sample, that hold no others: tensors, numbers, words."""
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, Sequence) and not isinstance(batch, str):
        for part in batch:
            yield from leaves(part)
    else:
        yield batch
