"""torchvision's detectors, on a pyramid over a trunk of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

from binssl.core.precision import at_least_float32
from binssl.heads.pyramid import Pyramid
from binssl.registry import HEADS, ConfigError

#: of anchors, height / width
RATIOS = (0.5, 1.0, 2.0)
#: the images come normalised as the trunk was trained with
AS_THEY_COME: dict[str, Any] = dict(image_mean=[0.0] * 3, image_std=[1.0] * 3)


@HEADS.register_module(name='FasterRCNN')
def build_faster_rcnn(
    trunk: nn.Module,
    num_classes: int,
    strides: Sequence[int] = (4, 8, 16, 32),
    channels: int = 256,
    min_sizes: Sequence[int] = (800,),
    max_size: int = 1333,
    boxes_per_image: int = 512,
) -> nn.Module:
    """Faster R-CNN (arXiv:1506.01497) with a pyramid (arXiv:1612.03144): torchvision's, all else at its defaults.

    Anchors have an area of (8 x stride)^2 at each level, one coarser level than ``strides`` included: 32 to 512 pixels
    at strides 4 to 64.

    Args:
        trunk: the backbone; it is borrowed, see :class:`Pyramid`.
        num_classes: without the background.
        strides: of the trunk's maps to take.
        channels: of the pyramid.
        min_sizes: shorter sides, in pixels, to which images are resized: one at random for each in training, the last
            one else.
        max_size: of the longer side.
        boxes_per_image: how many proposals of an image the second stage learns from.

    Raises:
        ConfigError: no such maps, sizes or number of classes.
    """
    _check(num_classes, min_sizes, max_size)
    pyramid = Pyramid(trunk, strides, channels, LastLevelMaxPool())
    levels = [*strides, 2 * strides[-1]]
    anchors = ExactAnchors(tuple((8 * stride,) for stride in levels), (RATIOS,) * len(levels))
    pool = MultiScaleRoIAlign([str(place) for place in range(len(strides))], output_size=7, sampling_ratio=2)
    head = detection.FasterRCNN(
        pyramid,
        num_classes + 1,
        min_size=tuple(min_sizes),
        max_size=max_size,
        rpn_anchor_generator=anchors,
        box_roi_pool=pool,
        size_divisible=strides[-1],
        box_batch_size_per_image=boxes_per_image,
        **AS_THEY_COME,
    )
    return _described(head, num_classes, 1, (head.rpn.head, head.roi_heads.box_predictor))


@HEADS.register_module(name='RetinaNet')
def build_retinanet(
    trunk: nn.Module,
    num_classes: int,
    strides: Sequence[int] = (8, 16, 32),
    channels: int = 256,
    min_sizes: Sequence[int] = (800,),
    max_size: int = 1333,
) -> nn.Module:
    """RetinaNet (arXiv:1708.02002): torchvision's, all else at its defaults.

    Anchors have areas of (4 x 2^(i/3) x stride)^2, i = 0, 1, 2, at each level, two coarser ones than ``strides``
    included.

    Args:
        trunk: as in :func:`build_faster_rcnn`, and so all others.
        num_classes: likewise.
        strides: likewise.
        channels: likewise.
        min_sizes: likewise.
        max_size: likewise.

    Raises:
        ConfigError: likewise.
    """
    _check(num_classes, min_sizes, max_size)
    pyramid = Pyramid(trunk, strides, channels, LastLevelP6P7(channels, channels))
    levels = [*strides, 2 * strides[-1], 4 * strides[-1]]
    sizes = tuple(tuple(int(4 * 2 ** (step / 3) * stride) for step in range(3)) for stride in levels)
    head = detection.RetinaNet(
        pyramid,
        num_classes,
        min_size=tuple(min_sizes),
        max_size=max_size,
        anchor_generator=ExactAnchors(sizes, (RATIOS,) * len(levels)),
        size_divisible=strides[-1],
        **AS_THEY_COME,
    )
    return _described(head, num_classes, 0, (head.head,))


class ExactAnchors(AnchorGenerator):
    """torchvision's anchors, in float32 at least.

    Under autocast they would have the maps' dtype: bfloat16 has steps of 2 pixels beyond 256, and of 8 beyond 1024.
    """

    def set_cell_anchors(self, dtype: torch.dtype, device: torch.device) -> None:
        """See torchvision."""
        super().set_cell_anchors(torch.promote_types(dtype, torch.float32), device)


def _described(head: Any, num_classes: int, first_label: int, predictors: Sequence[nn.Module]) -> nn.Module:
    """What a Detector and the loops ask of a head: ``out_channels`` classes, and the number that the first one has.

    What ``predictors`` give becomes float32 under autocast: boxes and scores are computed in its dtype.
    """
    head.out_channels, head.first_label = num_classes, first_label
    for predictor in predictors:
        predictor.register_forward_hook(_answer_exactly)
    return head


def _answer_exactly(module: nn.Module, inputs: Any, answer: Any) -> Any:
    """A forward hook: the answer, tensors in lists, tuples or dicts, in float32 at least."""
    if isinstance(answer, Tensor):
        return at_least_float32(answer)
    if isinstance(answer, dict):
        return {name: _answer_exactly(module, inputs, part) for name, part in answer.items()}
    return type(answer)(_answer_exactly(module, inputs, part) for part in answer)


def _check(num_classes: int, min_sizes: Sequence[int], max_size: int) -> None:
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ConfigError(f'model.head.num_classes {num_classes!r} of a detector must be a whole number of at least 1')
    if not min_sizes or not 0 < min(min_sizes) <= max(min_sizes) <= max_size:
        raise ConfigError(
            f'model.head.min_sizes {tuple(min_sizes)} and max_size {max_size} must be sides in pixels, min_sizes <= '
            'max_size'
        )
