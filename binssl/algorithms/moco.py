"""MoCo v2 (arXiv:1911.05722, 2003.04297): instances told apart against a queue of earlier keys."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor
from torch.nn import functional as F

from binssl.algorithms.base import Encoder, Images
from binssl.registry import ALGORITHMS, ConfigError


@ALGORITHMS.register_module()
class MoCo(Encoder):
    """Query from view 0, key from view 1 by a momentum teacher, negatives from a queue of earlier keys.

    The published code shuffles the keys over the GPUs, so that a BatchNorm cannot tell query and key by their
    batch; here that is left to synchronised BatchNorm, whose batch is that of all processes.

    Args:
        backbone: config.
        neck: config.
        head: config of a ContrastiveHead.
        teacher: config of a MomentumTeacher, which copies the parts above.
        queue_length: keys kept; a multiple of the global batch.
        data_preprocessor: config.

    Raises:
        ConfigError: queue_length < 1; at the first loss, one that the global batch does not divide.
    """

    views = 2
    head_offers = ('embed', 'loss')
    queue: Tensor
    queue_pointer: Tensor

    def __init__(self, backbone: dict, head: dict, neck: dict | None = None, teacher: dict | None = None,
                 queue_length: int = 65536, data_preprocessor: dict | None = None) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)
        if queue_length < 1:
            raise ConfigError(f'queue_length {queue_length} must be at least 1')
        self.queue_length = queue_length
        student = {'backbone': self.backbone, 'neck': self.neck, 'head': self.head}
        self.teacher = ALGORITHMS.build(dict(teacher or {'type': 'MomentumTeacher'}, **student))
        self.register_buffer('queue', F.normalize(torch.randn(queue_length, self.head.out_channels)))
        self.register_buffer('queue_pointer', torch.zeros((), dtype=torch.int64))

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """InfoNCE of one batch of two views; ``top1``, in percent, says how often the positive wins."""
        query_view, key_view = self.take_views(images)
        self._check_queue(len(query_view) * get_world_size())
        query = self.head.embed(self.extract(query_view))
        with torch.no_grad():
            key = self.teacher.head.embed(self.teacher.extract(key_view))
        losses = self.head.loss(query, key, self.queue)
        self.enqueue(torch.cat(all_gather(key)))
        return losses

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Write ``keys`` (N, P) of all processes over the oldest rows."""
        # rows are counted on the device: reading the pointer would make the host wait
        rows = (self.queue_pointer + torch.arange(len(keys), device=keys.device)) % self.queue_length
        self.queue.index_copy_(0, rows, keys.to(self.queue.dtype))
        self.queue_pointer.add_(len(keys)).remainder_(self.queue_length)

    def _check_queue(self, global_batch: int) -> None:
        if self.queue_length % global_batch:
            raise ConfigError(f'queue_length {self.queue_length} must be a multiple of the global batch '
                              f'{global_batch}; change either in the config')
