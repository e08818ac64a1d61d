"""S2-BNN (arXiv:2102.08946): a binary network that learns from the outputs of a frozen real one."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from binssl.algorithms.base import Encoder, Images
from binssl.algorithms.key_queue import KeyQueue, contrast_with_queue
from binssl.algorithms.teacher import MomentumTeacher, build_momentum_teacher
from binssl.algorithms.teacher_weights import check_outputs
from binssl.registry import ALGORITHMS, ConfigError


@ALGORITHMS.register_module()
class S2BNN(Encoder):
    """The student's distribution over embedding dimensions follows a frozen teacher's, on the same view.

    Without ``momentum_teacher`` that is all, and one view is enough; with one InfoNCE is added, on the same embeddings,
    with keys from view 1 (``loss = contrastive + distillation_weight * distillation``). Contrastive alone is MoCo.

    Args:
        backbone, neck: configs, as of :class:`Encoder`.
        head: config of a DistillationHead, with a contrastive_temperature where there is a momentum_teacher.
        teacher: config of a FrozenTeacher with the head whose embeddings are distilled.
        momentum_teacher: config of a MomentumTeacher, which copies backbone, neck and head; None: distillation only.
        queue_length: keys kept, a multiple of the global batch; with ``momentum_teacher`` only.
        distillation_weight: of the distillation, where it is not alone; 1 as published.
        shuffle_bn: mix the key images over the processes, as :class:`MoCo` does.
        data_preprocessor: config; the one that the teacher was trained with.

    Attributes:
        views: 2 with a momentum teacher, 1 without.

    Raises:
        ConfigError: parts that are missing, that nothing reads or that do not fit.
    """

    head_offers = ('embed', 'distill', 'contrast', 'contrastive_temperature', 'embedding_channels')

    def __init__(
        self,
        backbone: dict,
        head: dict,
        teacher: dict,
        neck: dict | None = None,
        momentum_teacher: dict | None = None,
        queue_length: int | None = None,
        distillation_weight: float = 1.0,
        shuffle_bn: bool = True,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)
        contrasts = momentum_teacher is not None
        self._check_mode(contrasts, queue_length, distillation_weight)
        self.teacher = ALGORITHMS.build(teacher)
        remedy = "let head.projector end with the teacher's width"
        check_outputs(self.teacher, self.head.embedding_channels, remedy, data_preprocessor)
        self.views = 2 if contrasts else 1
        self.distillation_weight, self.shuffle_bn = distillation_weight, shuffle_bn
        self.momentum_teacher: MomentumTeacher | None = None
        self.queue: KeyQueue | None = None
        if momentum_teacher is not None and queue_length is not None:
            self.momentum_teacher = build_momentum_teacher(momentum_teacher, self, self.head)
            self.queue = KeyQueue(queue_length, self.head.embedding_channels)

    def check_run(self, images: int, processes: int, hooks: Collection[str]) -> None:
        if self.queue is not None:
            self.queue.check_batch(images, processes)

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of one batch of one view, or of two.

        Returns:
            ``loss``; for the log ``distillation`` (cross-entropy, unweighted), ``kl``, ``teacher_entropy`` and
            ``student_entropy`` in nats; with a momentum teacher ``contrastive``, ``top1`` and ``top5`` in percent. All
            are means over the images of this process; the report takes the mean over the processes.
        """
        views = self.take_views(images)
        query = self.head.embed(self.extract(views[0]))
        distilled = self.head.distill(query, self.teacher.embed(views[0]))
        distillation = distilled.pop('loss')
        log = dict(distilled, distillation=distillation.detach())
        if self.momentum_teacher is None:
            return dict(log, loss=distillation)
        assert self.queue is not None
        contrasted = contrast_with_queue(
            query, views[1], self.momentum_teacher.embed, self.queue, self.head.contrast, self.shuffle_bn
        )
        contrastive = contrasted.pop('loss')
        log |= dict(contrasted, contrastive=contrastive.detach())
        return dict(log, loss=contrastive + self.distillation_weight * distillation)

    def _check_mode(self, contrasts: bool, queue_length: int | None, distillation_weight: float) -> None:
        given = {'head.contrastive_temperature': self.head.contrastive_temperature, 'queue_length': queue_length}
        for name, value in given.items():
            if contrasts and value is None:
                raise ConfigError(
                    f'S2BNN with a momentum_teacher contrasts too: it needs {name}; '
                    'or leave momentum_teacher out, for distillation only'
                )
            if not contrasts and value is not None:
                raise ConfigError(
                    f'S2BNN without a momentum_teacher only distils and never reads {name}: '
                    'leave it out, or give a momentum_teacher'
                )
        if distillation_weight < 0:
            raise ConfigError(f'distillation_weight {distillation_weight} must not be negative')
        if not contrasts and distillation_weight != 1:
            raise ConfigError(
                f'distillation_weight {distillation_weight} balances two losses, and S2BNN without a '
                'momentum_teacher has one: leave it out'
            )
