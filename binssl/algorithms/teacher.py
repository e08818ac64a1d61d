"""Teachers: a frozen one, read from a file, and one that follows the student by momentum."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from binssl.algorithms.base import Encoder, width_out
from binssl.algorithms.teacher_weights import check_network, load_teacher, read_teacher
from binssl.core.precision import at_least_float32, follow
from binssl.registry import ALGORITHMS, ConfigError, nearest_names

PRECISIONS = {'fp16': torch.float16, 'bf16': torch.bfloat16}


@ALGORITHMS.register_module()
class FrozenTeacher(nn.Module):
    """A trained network that never changes: always in eval mode, never with a gradient.

    Its weights are an input of the training, not a result: no optimiser, no state dict and no
    DistributedDataParallel sees them, while ``.to()`` and ``.double()`` take them along. Outputs are float32 at least.

    Args:
        backbone: config.
        neck: config; the mean pool by default.
        head: config of the teacher's own head, if its outputs are wanted.
        checkpoint: file with its weights, every one of them: ours, MoCo's published one, bare backbone keys.
        layout: of a published checkpoint, a key of ``binssl.checkpoints.CONVERSIONS``: its head is read too.
        precision: 'fp16' or 'bf16' runs it under autocast; None as the algorithm runs.

    Attributes:
        sha256: of the file, for the record.
        trained_with: config of the data_preprocessor that it was trained with; None where the file does not say.
        out_channels: width of :meth:`extract`.
        embedding_channels: width of :meth:`embed`; None without a head.

    Raises:
        ConfigError: no checkpoint, no such file, one that does not fit, with a table, or an unknown precision.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | None = None,
        head: dict | None = None,
        checkpoint: str | None = None,
        layout: str | None = None,
        precision: str | None = None,
    ) -> None:
        super().__init__()
        if precision not in (None, *PRECISIONS):
            raise ConfigError(
                f'precision {precision!r} of FrozenTeacher is unknown; '
                f'{nearest_names(str(precision), PRECISIONS)}; None runs it as the algorithm'
            )
        encoder = Encoder(backbone, neck, head)
        file = read_teacher(checkpoint, layout)
        self.sha256 = load_teacher(encoder, file)
        check_network(file, {'backbone': backbone, 'neck': neck})
        self.trained_with = file.model.get('data_preprocessor')
        self.precision = precision
        encoder.requires_grad_(False)
        # a module in a tuple is not registered: this is what hides it
        self._hidden = (encoder.eval(),)
        self.out_channels = encoder.out_channels
        self.embedding_channels = getattr(encoder.head, 'embedding_channels', width_out(encoder.head))

    @torch.no_grad()
    def extract(self, images: Tensor) -> Tensor:
        """Features: (N, 3, H, W) -> (N, D)."""
        return self._run(self._hidden[0].extract, images)

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> what is distilled, (N, P): the head's embeddings, or its output where it has none."""
        encoder = self._hidden[0]
        assert encoder.head is not None, 'a teacher without a head embeds nothing'
        embed = getattr(encoder.head, 'embed', encoder.head)
        return self._run(lambda given: embed(encoder.extract(given)), images)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> the head's output, or the features where there is no head."""
        return self._run(self._hidden[0], images)

    def _run(self, part: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        if self.precision is None:
            return at_least_float32(part(images))
        with torch.autocast(images.device.type, PRECISIONS[self.precision]):
            outputs = part(images)
        return at_least_float32(outputs)

    def _apply(self, fn: Callable, recurse: bool = True) -> FrozenTeacher:
        """Every move or cast of a module comes through here; the hidden network goes along."""
        self._hidden[0]._apply(fn, recurse)
        return super()._apply(fn, recurse)


@ALGORITHMS.register_module()
class MomentumTeacher(nn.Module):
    """A copy of the student that follows it slowly (MoCo, arXiv:1911.05722): ``t = m t + (1 - m) s``.

    :meth:`update` is for a hook, once per optimiser step, whatever the accumulation. Only parameters follow;
    the BatchNorm statistics are the copy's own, and it normalises by its batch while training, as in MoCo.

    Args:
        backbone: the student's part, as are ``neck`` and ``head``; the algorithm passes them.
        neck: likewise.
        head: likewise, or None.
        momentum: m, in [0, 1]: 0.999 keeps 99.9 %. A hook may move it.

    Raises:
        ConfigError: momentum outside [0, 1].
    """

    head: Any

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module | None, momentum: float = 0.999) -> None:
        super().__init__()
        self.check_scheduled('momentum', momentum)
        self.momentum = momentum
        self.backbone, self.neck, self.head = copy.deepcopy((backbone, neck, head))
        self.requires_grad_(False)
        self._student = (backbone, neck, head)  # in a tuple: the student's parameters are not the teacher's

    def check_scheduled(self, name: str, value: float) -> None:
        """Ask whether ``name`` may become ``value``: at construction, and of both ends of a schedule.

        Raises:
            ConfigError: ``name`` is the momentum, and ``value`` lies outside [0, 1].
        """
        if name == 'momentum' and not (isinstance(value, (int, float)) and 0 <= value <= 1):
            raise ConfigError(
                f'momentum {value} of MomentumTeacher must lie in [0, 1]; 0.999 keeps 99.9 % of the teacher'
            )

    @torch.no_grad()
    def extract(self, images: Tensor) -> Tensor:
        """Features: (N, 3, H, W) -> (N, D)."""
        return self.neck(self.backbone(images))

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> the head's embeddings (N, P)."""
        return self.head.embed(self.extract(images))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> the head's output, or the features where there is no head."""
        features = self.extract(images)
        return features if self.head is None else self.head(features)

    def update(self, step_taken: Tensor | None = None) -> None:
        """One step towards the student, or none where ``step_taken`` is 0: the student's own was skipped."""
        parts = [part for part in self._student if part is not None]
        followed = [weight for part in parts for weight in part.parameters()]
        follow(list(self.parameters()), followed, 1 - self.momentum, step_taken)

    @torch.no_grad()
    def restart(self) -> None:
        """Become the student again, buffers included: for a student that was loaded after construction."""
        for part, followed in zip((self.backbone, self.neck, self.head), self._student, strict=True):
            if part is not None and followed is not None:
                part.load_state_dict(followed.state_dict())


def build_momentum_teacher(config: dict, student: Encoder, head: nn.Module) -> MomentumTeacher:
    """The teacher of ``config``: a copy of the student's backbone and neck, and of ``head``, its own or part of it."""
    return ALGORITHMS.build(dict(config, backbone=student.backbone, neck=student.neck, head=head))
