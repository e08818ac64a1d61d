"""Teachers: one that stays as its file has it, one that follows the student."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from binssl.algorithms.base import Encoder
from binssl.checkpoints import differing_network, file_sha256, find_state_dict, load_weights, read_checkpoint
from binssl.registry import ALGORITHMS, ConfigError

PUBLISHED_MOCO = 'module.encoder_q.'


@ALGORITHMS.register_module()
class FrozenTeacher(nn.Module):
    """A trained network that never changes: always in eval mode, never with a gradient.

    Its weights are an input of the training, not a result: no optimiser, no state dict and no
    DistributedDataParallel sees them, while ``.to()`` and ``.double()`` take them along.

    Args:
        backbone: config.
        neck: config; the mean pool by default.
        head: config of the teacher's own head, if its outputs are wanted.
        checkpoint: file with its weights, every one of them: ours, MoCo's published one, bare backbone keys.

    Attributes:
        sha256: of the file, for the record.

    Raises:
        ConfigError: no checkpoint, no such file, or one that does not fit, with a table.
    """

    def __init__(self, backbone: dict, neck: dict | None = None, head: dict | None = None,
                 checkpoint: str | None = None) -> None:
        super().__init__()
        encoder = Encoder(backbone, neck, head)
        path = check_is_there(checkpoint)
        content = read_checkpoint(path)
        self.sha256 = load_teacher(encoder, content, path)
        check_recorded(content, path, {'backbone': backbone, 'neck': neck})
        encoder.requires_grad_(False)
        # a module in a tuple is not registered: this is what hides it
        self._hidden = (encoder.eval(),)
        self.out_channels = encoder.out_channels

    @torch.no_grad()
    def extract(self, images: Tensor) -> Tensor:
        """Features: (N, 3, H, W) -> (N, D)."""
        return self._hidden[0].extract(images)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> the head's output, or the features where there is no head."""
        return self._hidden[0](images)

    def _apply(self, fn: Callable, recurse: bool = True) -> FrozenTeacher:
        """Every move or cast of a module comes through here; the hidden network goes along."""
        self._hidden[0]._apply(fn, recurse)
        return super()._apply(fn, recurse)


def check_is_there(checkpoint: str | None) -> str:
    """``checkpoint``, where it names a file.

    Raises:
        ConfigError: it does not. A teacher with random weights would go unnoticed.
    """
    remedy = 'train one and extract its weights, or name another by model.teacher.checkpoint=PATH'
    if not checkpoint:
        raise ConfigError(f'a frozen teacher needs a checkpoint, and none is given; {remedy}')
    if not Path(checkpoint).is_file():
        raise ConfigError(f'the checkpoint of the frozen teacher is missing: {checkpoint}; {remedy}')
    return checkpoint


def load_teacher(encoder: Encoder, content: Mapping[str, Any], path: str) -> str:
    """Load all of ``encoder`` from what the file at ``path`` holds, and say so in the log.

    Returns:
        The SHA-256 of the file.

    Raises:
        ConfigError: it does not fit.
    """
    weights = find_state_dict(content, path)
    taken = select_teacher(weights, has_head=encoder.head is not None)
    try:
        load_weights(encoder, taken)
    except ConfigError as error:
        raise ConfigError(f'the frozen teacher does not fit its checkpoint {path}: {error}') from error
    digest = file_sha256(path)
    print_log(f'teacher: all of its {len(taken)} tensors loaded from {path}, SHA-256 {digest[:12]}...; '
              f'{len(weights) - len(taken)} others of the file (fc, copies, queues) not used', 'current')
    return digest


def check_recorded(content: Mapping[str, Any], path: str, wanted: Mapping[str, Any]) -> None:
    """Compare what a file of ours records of its network with the config of the teacher it is meant for.

    Raises:
        ConfigError: they contradict each other; a real network and a binary one have the same keys and shapes.
    """
    meta = content.get('meta')
    text = meta.get('model') if isinstance(meta, Mapping) else None
    if not isinstance(text, str):
        return
    recorded = json.loads(text)
    rows = [row for part, config in wanted.items() if config and recorded.get(part)
            for row in differing_network(recorded[part], config, part)]
    if rows:
        raise ConfigError(f'the checkpoint {path} is of another network than the teacher: ' + '; '.join(rows))


def select_teacher(weights: Mapping[str, Tensor], has_head: bool) -> dict[str, Tensor]:
    """The entries of a state dict that make a teacher, under our names.

    Known are our files (``backbone. neck. head.``), MoCo's published ones (``module.encoder_q.`` before
    torchvision's names) and bare torchvision names. Of the latter two the trunk is taken; ``fc`` is left out.
    """
    if any(key.startswith('backbone.') for key in weights):
        wanted = ('backbone', 'neck', 'head') if has_head else ('backbone', 'neck')
        return {key: value for key, value in weights.items() if key.split('.')[0] in wanted}
    prefix = PUBLISHED_MOCO if any(key.startswith(PUBLISHED_MOCO) for key in weights) else ''
    trunk = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
    return {f'backbone.{key}': value for key, value in trunk.items() if key.split('.')[0] != 'fc'}


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

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module | None,
                 momentum: float = 0.999) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ConfigError(f'momentum {momentum} of MomentumTeacher must lie in [0, 1]; '
                              '0.999 keeps 99.9 % of the teacher')
        self.momentum = momentum
        self.backbone, self.neck, self.head = copy.deepcopy((backbone, neck, head))
        self.requires_grad_(False)
        self._student = (backbone, neck, head)  # in a tuple: the student's parameters are not the teacher's

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

    @torch.no_grad()
    def update(self) -> None:
        """One step towards the student."""
        parts = [part for part in self._student if part is not None]
        followed: list[Tensor] = [weight for part in parts for weight in part.parameters()]
        own: list[Tensor] = list(self.parameters())
        torch._foreach_lerp_(own, followed, 1 - self.momentum)

    @torch.no_grad()
    def restart(self) -> None:
        """Become the student again, buffers included: for a student that was loaded after construction."""
        for part, followed in zip((self.backbone, self.neck, self.head), self._student, strict=True):
            if part is not None and followed is not None:
                part.load_state_dict(followed.state_dict())
