"""MoCo v2 (arXiv:1911.05722, 2003.04297): contrast of two views against a queue of earlier keys."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from binssl.algorithms.base import Encoder, Images
from binssl.algorithms.key_queue import KeyQueue, contrast_with_queue
from binssl.algorithms.teacher import build_momentum_teacher
from binssl.registry import ALGORITHMS


@ALGORITHMS.register_module()
class MoCo(Encoder):
    """Query from view 0, key from view 1 by a momentum teacher, negatives from a queue of earlier keys.

    Args:
        backbone, neck, data_preprocessor: configs, as of :class:`Encoder`.
        head: config of a ContrastiveHead.
        teacher: config of a MomentumTeacher, which copies the parts above.
        queue_length: keys kept; a multiple of the global batch.
        shuffle_bn: mix the key images over the processes, so that a BatchNorm cannot tell query and key by their
            batch, as published; needless where ``sync_bn`` takes the statistics over all processes.

    Raises:
        ConfigError: another algorithm's head, queue_length < 1; before training, a queue_length that the global
            batch does not divide.
    """

    views = 2
    head_offers = ('embed', 'contrast', 'temperature', 'embedding_channels')

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        teacher: dict | None = None,
        queue_length: int = 65536,
        shuffle_bn: bool = True,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)
        self.teacher = build_momentum_teacher(teacher or {'type': 'MomentumTeacher'}, self, self.head)
        self.queue = KeyQueue(queue_length, self.head.embedding_channels)
        self.shuffle_bn = shuffle_bn

    def check_run(self, images: int, processes: int, hooks: Collection[str]) -> None:
        self.queue.check_batch(images, processes)

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """InfoNCE of one batch of two views; ``top1``, ``top5``, in percent, say how often the positive is there."""
        query_view, key_view = self.take_views(images)
        query = self.head.embed(self.extract(query_view))
        return contrast_with_queue(query, key_view, self.teacher.embed, self.queue, self.head.contrast, self.shuffle_bn)
