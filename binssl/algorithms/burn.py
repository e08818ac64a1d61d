"""BURN (arXiv:2110.08851): a binary network that learns jointly with a classifier on a frozen real extractor."""

from __future__ import annotations

import contextlib

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from binssl.algorithms.base import Encoder, Images, check_widths, width_in, width_out
from binssl.algorithms.teacher_weights import check_normalisation
from binssl.registry import ALGORITHMS, NECKS, ConfigError


@ALGORITHMS.register_module()
class BURN(Encoder):
    """The student (extractor k, classifier l) learns from a frozen real extractor h and its classifier g.

    Each view of the student meets the other view of the target; the two losses are summed. The joint loss has
    a trivial solution, both classifiers constant: ``information`` in the log falls to 0 when it goes there. On the
    digits, with g learning, that took fewer than 100 iterations from our start of the weights, and 300 to 600 from the
    release's (``init='kaiming'`` of both classifiers, 'kaiming_fan_in' of the backbone).

    Args:
        backbone: config of k.
        neck: config of what belongs to k behind the pool (fc and ReLU in the paper).
        head: config of a BURNHead: the classifier l and the loss.
        teacher: config of a FrozenTeacher: h.
        target_head: config of a neck: g; None where no term of the loss reads its outputs.
        train_target_head: whether g learns, as in the paper; the release leaves it as it was initialised.
        data_preprocessor: config; the one that the teacher was trained with.

    Raises:
        ConfigError: parts that do not fit, a target head that is missing or that nothing reads, or a teacher that
            was trained on images normalised otherwise.
    """

    views = 2
    head_offers = ('compares_outputs', 'target_channels', 'loss', 'information')

    def __init__(
        self,
        backbone: dict,
        head: dict,
        teacher: dict,
        neck: dict | None = None,
        target_head: dict | None = None,
        train_target_head: bool = True,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)
        # The release runs h in train mode, where its BatchNorm statistics drift; ours is always in eval mode.
        self.teacher = ALGORITHMS.build(teacher)
        self.target_head: nn.Module | None = None
        if target_head is not None:
            self.target_head = NECKS.build(target_head).requires_grad_(train_target_head)
        self.train_target_head = train_target_head
        self._check_parts()
        check_normalisation(self.teacher.trained_with, data_preprocessor)

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of one batch of two views.

        Returns:
            ``loss`` of this process; for the log, over all processes and as far as they exist: ``kl``,
            ``teacher_entropy`` (of g), ``student_entropy`` (of l) and ``feature_distance`` (mean of the two
            crossings, unweighted) and ``information`` (of image and class in the target); all but the distance in nats.
        """
        views = self.take_views(images)
        features = [self.extract(view) for view in views]
        targets = [self.teacher.extract(view) for view in views]
        student = [(feature, self.head(feature)) for feature in features]
        target = [(feature, self.classify_target(feature)) for feature in targets]
        crossings = [self.head.loss(*student[0], *target[1]), self.head.loss(*student[1], *target[0])]
        log = _mean_over_processes(crossings)
        if self.target_head is not None:
            log['information'] = self.head.information(torch.cat([outputs for _, outputs in target]))
        # The release computes this under no_grad and so trains nothing; ours has the gradients of the paper.
        return dict(log, loss=crossings[0]['loss'] + crossings[1]['loss'])

    def classify_target(self, features: Tensor) -> Tensor:
        """h's features (N, H) -> g's logits (N, C); the features where there is no g."""
        if self.target_head is None:
            return features
        # g learns in the paper, from every term that reads its outputs; the release never trains it. Its
        # BatchNorm takes the batch's statistics in either case, as in the release: those that it keeps start
        # at 0 and 1, and a classifier that never trained would give nearly constant logits with them.
        with contextlib.nullcontext() if self.train_target_head else torch.no_grad():
            return self.target_head(features)

    def _check_parts(self) -> None:
        if self.head.compares_outputs and self.target_head is None:
            raise ConfigError('this loss compares the outputs of two classifiers: BURN needs a target_head')
        if not self.head.compares_outputs and self.target_head is not None:
            raise ConfigError("kl=False with feature_similarity='features' never reads the target_head: set it to None")
        check_widths('the target_head', width_in(self.target_head), 'the teacher', width_out(self.teacher))
        if self.target_head is not None:
            check_widths('the loss', width_out(self.head), 'the target_head', width_out(self.target_head))
        wanted, given = self.head.target_channels, width_out(self.teacher)
        if wanted is not None and given is not None and wanted != given:
            raise ConfigError(
                f"the teacher's features have {given} channels, the head compares {wanted}: "
                f"set head.feature_channels={given}, which maps the student's to that width"
            )


def _mean_over_processes(crossings: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of each term but the loss, over the crossings and all processes, detached."""
    names = [name for name in crossings[0] if name != 'loss']
    values = torch.stack([terms[name].detach() for terms in crossings for name in names])
    means = values.view(len(crossings), len(names)).mean(dim=0)
    all_reduce(means, op='mean')
    return dict(zip(names, means.unbind(), strict=True))
