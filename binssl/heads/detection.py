"""torchvision's detectors, on a pyramid over a trunk of ours."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock, LastLevelMaxPool, LastLevelP6P7

from binssl.core.precision import at_least_float32
from binssl.registry import HEADS, ConfigError

#: of anchors, height / width
RATIOS = (0.5, 1.0, 2.0)
#: the images come normalised as the trunk was trained with
AS_THEY_COME: dict[str, Any] = dict(image_mean=[0.0] * 3, image_std=[1.0] * 3)
_PROBE_SIDE = 64  # pixels; divided evenly by every stride in use


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
    included. Arguments and errors are those of :func:`build_faster_rcnn`.
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


class Pyramid(nn.Module):
    """A feature pyramid (arXiv:1612.03144, torchvision's) over a trunk, which it borrows: torchvision's ``backbone``.

    The trunk is asked for its last map at each stride; its ``out_indices`` are changed to these. It stays a part of the
    model alone: its weights are not among the pyramid's, and the model moves and trains it.

    Shape: images (N, 3, H, W) -> {'0': (N, C, H / s_0, W / s_0), ..., further levels by ``extra``}.

    Args:
        trunk: a backbone with ``num_maps`` and ``out_indices``.
        strides: in pixels, rising.
        channels: C.
        extra: makes further, coarser levels; torchvision's blocks.

    Attributes:
        out_channels: C.

    Raises:
        ConfigError: the trunk gives one map only, or none at a stride.
    """

    def __init__(self, trunk: Any, strides: Sequence[int], channels: int, extra: ExtraFPNBlock) -> None:
        super().__init__()
        maps = last_maps(trunk)
        missing = [stride for stride in strides if stride not in maps]
        if missing or not strides or sorted(set(strides)) != list(strides):
            raise ConfigError(
                f'{type(trunk).__name__} has maps at strides {", ".join(map(str, maps))}, and model.head.strides asks '
                f'for {", ".join(map(str, strides)) or "none"}: name some of them, in rising order'
            )
        trunk.out_indices = tuple(maps[stride][0] for stride in strides)
        self.trunk = (trunk,)  # in a tuple it is no child of this module
        self.fpn = FeaturePyramidNetwork([maps[stride][1] for stride in strides], channels, extra)
        self.out_channels = channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The levels of ``images`` (N, 3, H, W), the finest first."""
        maps = self.trunk[0](images)
        return self.fpn(OrderedDict((str(place), level) for place, level in enumerate(maps)))


def last_maps(trunk: Any) -> dict[int, tuple[int, int]]:
    """The last map of each size that a trunk makes: {stride in pixels: (place among its maps, width)}.

    Raises:
        ConfigError: it makes one map only.
    """
    if not getattr(trunk, 'num_maps', 0):
        raise ConfigError(
            f'{type(trunk).__name__} gives its last map alone, and a detector needs maps of several sizes: take a '
            'ReActNet, ResNet, TwoStreamResNet or TorchvisionResNet'
        )
    before, training = trunk.out_indices, trunk.training
    trunk.out_indices = tuple(range(trunk.num_maps))
    weight = next(trunk.parameters())
    with torch.no_grad():
        maps = trunk.eval()(torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE, dtype=weight.dtype, device=weight.device))
    trunk.out_indices = before
    trunk.train(training)
    return {_PROBE_SIDE // level.shape[-1]: (place, level.shape[1]) for place, level in enumerate(maps)}


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
    if num_classes < 1:
        raise ConfigError(f'model.head.num_classes {num_classes!r} of a detector must be a whole number of at least 1')
    if not min_sizes or not 0 < min(min_sizes) <= max(min_sizes) <= max_size:
        raise ConfigError(
            f'model.head.min_sizes {tuple(min_sizes)} and max_size {max_size} must be sides in pixels, min_sizes <= '
            'max_size'
        )
