"""SwAV (arXiv:2006.09882): prediction of the large crops' cluster codes from every other crop."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor, nn

from binssl.algorithms.base import Encoder, Images
from binssl.algorithms.key_queue import KeyQueue
from binssl.registry import ALGORITHMS, ConfigError


@ALGORITHMS.register_module()
class SwAV(Encoder):
    """Crops are compared by the prototypes they are near to; an optimal transport keeps all prototypes in use.

    The data set gives the global crops first, then the local ones. Neighbours of one size go through the trunk
    together, so that a BatchNorm sees one size at a time, and all crops through the head, as published.

    A queue of earlier global crops may join the transport, where a batch has fewer images than there are prototypes.
    It holds the rows of all processes, alike on each, and each process brings its own share of them; the published
    code keeps one queue a process, in a file of its own. It fills from the first iteration on, and joins once
    PrototypeHook says so: what it starts with are rows at random.

    Args:
        backbone, neck, data_preprocessor: configs, as of :class:`Encoder`.
        head: config of a PrototypeHead.
        global_crops: crops that get a code, at least 1.
        local_crops: crops that only predict.
        queue_length: rows kept for each global crop, a multiple of the global batch; 0 for no queue.

    Attributes:
        use_queue: whether the queue joins the transport; False until a hook sets it.

    Raises:
        ConfigError: no global crop, a negative number, fewer than 2 crops; before training, no PrototypeHook, a queue
            that the global batch does not divide, or a local crop larger than a global one.
    """

    head_offers = ('unit_rows', 'scores', 'assign', 'loss', 'normalize_prototypes')
    queue: Any

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        global_crops: int = 2,
        local_crops: int = 6,
        queue_length: int = 0,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)
        _check(global_crops, local_crops, queue_length)
        self.views = global_crops + local_crops
        self.global_crops, self.local_crops, self.queue_length = global_crops, local_crops, queue_length
        self.use_queue = False
        queues = global_crops if queue_length else 0
        self.queue = nn.ModuleList(KeyQueue(queue_length, self.head.out_channels) for _ in range(queues))

    def check_run(self, images: int, processes: int, hooks: Collection[str]) -> None:
        for queue in self.queue:
            queue.check_batch(images, processes)
        if 'PrototypeHook' not in hooks:
            raise ConfigError(
                'SwAV needs a PrototypeHook, which freezes the prototypes at first and says from when on the queue is '
                "used; a list replaces its base's whole: custom_hooks=[..., dict(type='PrototypeHook', "
                'frozen_iterations=313, queue_start_epoch=15)], or frozen_iterations=0 to freeze none'
            )

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of one batch of crops; ``feature_std`` tells a collapse, 0, from a spread, 1.

        Args:
            images: (N, 3, H, W) for each crop, the global ones first; local ones may be smaller.
            labels: not read.
        """
        crops = self.take_views(images)
        self._check_sizes(crops)
        for queue in self.queue:
            queue.check_batch(len(crops[0]), get_world_size())
        self.head.normalize_prototypes()
        rows = self.head.unit_rows(self._extract_by_size(crops))
        scores = self.head.scores(rows).chunk(self.views)
        codes = [self._codes(place, scores[place].detach()) for place in range(self.global_crops)]
        large = rows.detach().view(self.views, len(crops[0]), -1)[: self.global_crops]
        self._enqueue(large)
        return self.head.loss(large[0], scores, codes)

    def _check_sizes(self, crops: Sequence[Tensor]) -> None:
        sides = [min(crop.shape[-2:]) for crop in crops]
        if min(sides[: self.global_crops]) < max(sides[self.global_crops :], default=0):
            raise ConfigError(
                f'the views have sides of {sides} px, and the first {self.global_crops} are to be the '
                'large ones, whose codes the others predict: change the order of the views'
            )

    def _extract_by_size(self, crops: Sequence[Tensor]) -> Tensor:
        """Features of all crops, one after the other: (crops N, D); neighbours of one size share a batch."""
        groups = [list(group) for _, group in itertools.groupby(crops, key=lambda crop: crop.shape[-2:])]
        return torch.cat([self.extract(torch.cat(group)) for group in groups])

    @torch.no_grad()
    def _codes(self, place: int, scores: Tensor) -> Tensor:
        """Codes (N, K) of the global crop at ``place``, whose scores are (N, K)."""
        if not self.use_queue:
            return self.head.assign(scores)
        share = self.queue_length // get_world_size()
        queued = self.queue[place].keys[get_rank() * share :][:share]
        return self.head.assign(torch.cat([self.head.scores(queued), scores]))[-len(scores) :]

    def _enqueue(self, rows: Tensor) -> None:
        """Push ``rows`` (global crops, N, P) of all processes, each crop's into its queue."""
        if not self.queue:
            return
        for queue, crop_rows in zip(self.queue, torch.cat(all_gather(rows.contiguous()), dim=1), strict=True):
            queue.push(crop_rows)


def _check(global_crops: int, local_crops: int, queue_length: int) -> None:
    if global_crops < 1:
        raise ConfigError(f'global_crops {global_crops} of SwAV must be at least 1: the codes are theirs')
    if local_crops < 0:
        raise ConfigError(f'local_crops {local_crops} of SwAV must not be negative; 0 for none')
    if global_crops + local_crops < 2:
        raise ConfigError(
            'SwAV needs at least 2 crops, a code is predicted from another crop; this is 1: raise '
            'local_crops or global_crops'
        )
    if queue_length < 0:
        raise ConfigError(f'queue_length {queue_length} of SwAV must not be negative; 0 for no queue')
