"""Distillation of a teacher's distribution over embedding dimensions (S2-BNN, arXiv:2102.08946)."""

from __future__ import annotations

import math

from torch import Tensor

from binssl.core.precision import at_least_float32, same_precision, unit_rows
from binssl.heads.contrastive import info_nce_with_rates
from binssl.heads.projected import ProjectedHead
from binssl.registry import HEADS, ConfigError


def distillation(
    student: Tensor, teacher: Tensor, student_temperature: float | Tensor, teacher_temperature: float | Tensor
) -> dict[str, Tensor]:
    """Cross-entropy -p . log q with p = softmax(teacher / T_t) and q = softmax(student / T_s), mean over the batch.

    The paper writes KL(p || q), the released code is this cross-entropy; they differ by the entropy of p, so the
    student's gradient is the same. The teacher gets none. Computed in float32 at least, also under autocast.

    Shape: (N, P), (N, P) -> ().

    Returns:
        ``loss``; in nats and detached, mean over the batch: ``kl``, ``teacher_entropy`` and ``student_entropy``.
    """
    student, teacher = same_precision(student, teacher.detach())
    log_q = (student / student_temperature).log_softmax(dim=1)
    log_p = (teacher / teacher_temperature).log_softmax(dim=1)
    p, fixed_log_q = log_p.exp(), log_q.detach()
    return {
        'loss': _mean_sum(-p * log_q),
        'kl': _mean_sum(p * (log_p - fixed_log_q)),
        'teacher_entropy': _mean_sum(-p * log_p),
        'student_entropy': _mean_sum(-fixed_log_q.exp() * fixed_log_q),
    }


def _mean_sum(terms: Tensor) -> Tensor:
    return terms.sum(dim=1).mean()


@HEADS.register_module()
class DistillationHead(ProjectedHead):
    """A projector whose outputs follow a frozen teacher's, and may tell instances apart besides.

    Shape: (N, D) -> (N, P), not normalised.

    Args:
        projector: config of a neck; S2-BNN's is MoCo v2's, ``widths=[D, 128], norm=None``. Its width is the teacher's.
        student_temperature: T_s of the student's softmax; may be scheduled, as may the other two.
        teacher_temperature: T_t of the teacher's.
        normalize: compare unit rows, as S2-BNN does; False for a teacher whose logits are meant as they are.
        contrastive_temperature: of InfoNCE, where the algorithm contrasts too; None where it does not.

    Raises:
        ConfigError: a temperature <= 0, or contrastive_temperature without normalize.
    """

    student_temperature: Tensor
    teacher_temperature: Tensor
    contrastive_temperature: Tensor | None

    def __init__(
        self,
        projector: dict,
        student_temperature: float = 0.2,
        teacher_temperature: float = 0.2,
        normalize: bool = True,
        contrastive_temperature: float | None = None,
    ) -> None:
        super().__init__(projector)
        self.embedding_channels = self.out_channels
        self.normalize = normalize
        self.keep_scheduled('student_temperature', student_temperature, 0, math.inf, open_low=True)
        self.keep_scheduled('teacher_temperature', teacher_temperature, 0, math.inf, open_low=True)
        if contrastive_temperature is None:
            self.contrastive_temperature = None
        elif not normalize:
            raise ConfigError('InfoNCE compares unit rows: contrastive_temperature needs normalize=True')
        else:
            self.keep_scheduled('contrastive_temperature', contrastive_temperature, 0, math.inf, open_low=True)

    def embed(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, P) in float32 at least, of unit rows where ``normalize``."""
        outputs = self(features)
        return unit_rows(outputs) if self.normalize else at_least_float32(outputs)

    def distill(self, student: Tensor, teacher: Tensor) -> dict[str, Tensor]:
        """:func:`distillation` of a student's embeddings (N, P) and a teacher's (N, P)."""
        return distillation(student, teacher, self.student_temperature, self.teacher_temperature)

    def contrast(self, query: Tensor, key: Tensor, negatives: Tensor) -> dict[str, Tensor]:
        """InfoNCE with its top-1 and top-5 rates; ``query``, ``key`` (N, P), ``negatives`` (K, P), unit rows."""
        assert self.contrastive_temperature is not None
        return info_nce_with_rates(query, key, negatives, self.contrastive_temperature)
