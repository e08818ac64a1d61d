"""Object detection on a trunk, with torchvision's detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from binssl.algorithms.base import Encoder, Images
from binssl.registry import ALGORITHMS, HEADS, ConfigError

NORMS = ('learn', 'frozen')


@ALGORITHMS.register_module()
class Detector(Encoder):
    """A backbone under one of torchvision's detectors; all of it learns, as in the transfer of MoCo (arXiv:1911.05722).

    The head takes the backbone's last map at each of its strides, whatever ``out_indices`` the backbone had. Of a file
    with a trunk it takes the backbone; a neck belongs to whole images. Images are resized by the head.

    A batch is ``images``, N tensors (3, H, W) of any sizes; ``boxes``, N tensors (M, 4) of x1, y1, x2, y2 in pixels of
    the image; ``labels``, N tensors (M,) from 0 on; ``indices`` (N,). ``mode='predict'`` adds ``detections``; so does
    ``mode='tensor'``, alone.

    Args:
        backbone: config of one that gives several maps.
        head: config of a detector: ``FasterRCNN`` or ``RetinaNet``.
        norms: 'learn' or 'frozen': whether the BatchNorms of the backbone keep their statistics, scale and shift. With
            few images a GPU, those that learn need ``sync_bn=True``.
        data_preprocessor: config of the ImageNormalizer that the backbone was trained with.

    Raises:
        ConfigError: an unknown ``norms``, no normalisation, or a backbone without the maps that the head asks for.
    """

    views = 1
    needs_labels = True
    trunk_parts = ('backbone',)

    def __init__(self, backbone: dict, head: dict, norms: str = 'learn', data_preprocessor: dict | None = None) -> None:
        if norms not in NORMS:
            raise ConfigError(f"norms {norms!r} of Detector is unknown: take 'learn' or 'frozen'")
        if data_preprocessor is None:
            raise ConfigError(
                'Detector needs images normalised as its backbone was trained with; give '
                "data_preprocessor=dict(type='ImageNormalizer', mean=[...], std=[...])"
            )
        super().__init__(backbone, data_preprocessor=data_preprocessor)
        self.head = HEADS.build(head, default_args=dict(trunk=self.backbone))
        if norms == 'frozen':
            inside = self.backbone.named_modules()
            self.freeze([f'backbone.{name}' for name, module in inside if isinstance(module, _BatchNorm)])

    def forward(
        self, images: Images, labels: Any = None, indices: Tensor | None = None, mode: str = 'tensor', **extras: Any
    ) -> Any:
        """See :class:`Encoder` for the modes, and above for what a batch holds."""
        if mode == 'loss':
            return self.loss(images, labels, extras.get('boxes'))
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode {mode!r} is unknown: take 'tensor', 'loss' or 'predict'")
        detections = self.detect(images)
        given = dict(labels=labels, indices=indices, **extras)
        return detections if mode == 'tensor' else [dict(detections=detections, **given)]

    def loss(self, images: Images, labels: Any = None, boxes: Sequence[Tensor] | None = None) -> dict[str, Tensor]:
        """The sum of the detector's losses, as ``loss``, and each of them for the log; in training mode.

        Raises:
            ConfigError: the data set has no boxes or labels.
        """
        if labels is None or boxes is None:
            raise ConfigError(
                'Detector needs boxes with labels, and the data set gave none: take one such as '
                "dict(type='VOCDetection')"
            )
        first = self.head.first_label
        targets = [dict(boxes=own, labels=kinds + first) for own, kinds in zip(boxes, labels, strict=True)]
        losses = self.head(list(images), targets)
        told = {name.removeprefix('loss_'): value.detach() for name, value in losses.items()}
        return dict(told, loss=sum(losses.values()))

    def detect(self, images: Images) -> list[dict[str, Tensor]]:
        """What is found in each image: ``boxes`` (M, 4) in its pixels, ``scores`` (M,) and ``labels`` (M,) from 0 on.

        Images go through one by one: beside a larger one, an image would be padded and its borders seen otherwise.
        """
        first = self.head.first_label
        answers = [self.head([image])[0] for image in images]
        return [dict(answer, labels=answer['labels'] - first) for answer in answers]
