"""ResNets with a shortcut around each convolution or each two: real, Bi-Real Net, ReActNet's ResNet, ReCU's.

Bi-Real Net: arXiv:1808.00278. ReActNet: arXiv:2003.03488. ReCU: arXiv:2103.12369. The real one: arXiv:1512.03385.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from mmengine.config import ConfigDict
from torch import Tensor, nn

from binssl.backbones.plan import (
    build_stages,
    check_signs,
    check_size,
    check_stages,
    collect_maps,
    count_from_start,
    smallest_input,
)
from binssl.backbones.residual import ACTIVATIONS, ResNetStem, Unit, build_block
from binssl.binary import BINARY
from binssl.core.initialisation import start_convolutions
from binssl.registry import BACKBONES, ConfigError

SHORTCUTS = ('pool', 'conv', 'pad')
REMEDY = "stem='small' or fewer stages"  # for images that are too small


@BACKBONES.register_module()
class ResNet(nn.Module):
    """A ResNet with a shortcut around each convolution or each two; each but stem and shortcuts by ``conv_cfg``.

    =====================  =============================================================================
    Bi-Real-18 and -34     the defaults, and ``depths=[6, 8, 12, 6]``
    ReActNet's ResNet-18   ``shift=True, activation='RPReLU'``
    real ResNet-18         ``depths=[2, 2, 2, 2], convs_per_shortcut=2, activation='ReLU',
                           stem_activation='ReLU', shortcut='conv', conv_cfg=REAL``: torchvision's function
    ReCU's, CIFAR, 18      ``stem='small', depths=[2, 2, 2, 2], convs_per_shortcut=2, activation='Hardtanh',
                           shortcut='pad'``
    ReCU's, CIFAR, 20      ``stem='small', widths=[16, 32, 64], depths=[6, 6, 6], stem_activation='Hardtanh',
                           activation='Hardtanh', shortcut='pad'``
    ReCU's, ImageNet       ``stem_activation='Hardtanh', activation='Hardtanh', shortcut='conv'``; in two stages
                           ReActNet's
    =====================  =============================================================================

    Every stage but the first halves the map in its first block. The same plan fits strictly from one precision to
    the next; with ``activation='Hardtanh'`` in place of 'ReLU' too, since neither has a parameter.

    Shape: images (N, 3, H, W) -> a tuple of maps (N, C_i, H_i, W_i).

    Args:
        widths: Width of each stage, the first one the stem's too.
        depths: Blocks (shortcuts) of each stage.
        stem: 'imagenet': 7x7 stride 2 and a max pool; 'small': 3x3 stride 1, for images of 8 to 64 px.
        stem_activation: Behind the stem's BatchNorm: None, 'ReLU', 'Hardtanh' or 'RPReLU'.
        convs_per_shortcut: 1 or 2.
        shift: Whether a learnable shift (ReActNet's RSign) stands before each convolution of the blocks.
        activation: Behind each sum and between two convolutions: as ``stem_activation``.
        shortcut: Where the map is halved: 'pool', 'conv' (:class:`ProjectedShortcut`) or 'pad'.
        conv_cfg: Precision of the blocks' convolutions: :data:`binssl.binary.REAL`, ``BINARY_INPUT``,
            ``BINARY`` (the default: triangular activations, clipped scaled weights) or one's own.
        input_size: Side of the images in pixels, where it is known, to be checked at once.
        out_indices: Stages to return, negative from the end.
        init: How convolutions start, see :func:`binssl.core.initialisation.start_convolutions`.
        norm_gamma: Scale with which every BatchNorm starts; ReCU's one-stage ImageNet recipe: 1e-8.

    Attributes:
        out_channels: Width of the last returned map.
        num_maps: How many maps ``out_indices`` may name.

    Raises:
        ConfigError: The plan is inconsistent, or ``input_size`` is too small for it; from ``forward``, the images are.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] = (4, 4, 4, 4),
        stem: str = 'imagenet',
        stem_activation: str | None = None,
        convs_per_shortcut: int = 1,
        shift: bool = False,
        activation: str | None = None,
        shortcut: str = 'pool',
        conv_cfg: dict | ConfigDict = BINARY,
        input_size: int | None = None,
        out_indices: Sequence[int] = (-1,),
        init: str = 'kaiming',
        norm_gamma: float = 1.0,
    ) -> None:
        super().__init__()
        check_stages(stem, widths, depths)
        _check_kinds(stem_activation, activation, shortcut, convs_per_shortcut, widths)
        self.smallest_input = smallest_input(1 if stem == 'small' else 4, [1] + [2] * (len(widths) - 1))
        check_size(input_size, self.smallest_input, REMEDY)
        self.out_indices = count_from_start(out_indices, len(widths), 'stages')
        self.out_channels = widths[self.out_indices[-1]]
        self.num_maps = len(widths)
        self.stem = ResNetStem(widths[0], stem, stem_activation)
        unit = partial(Unit, shift=shift, activation=activation, conv_cfg=conv_cfg)
        block = partial(build_block, unit, convs_per_shortcut, shortcut)
        self.stages = build_stages(widths, depths, block)
        check_signs(self, stem_activation=stem_activation, activation=activation)
        start_convolutions(self, init)
        _start_norms(self, norm_gamma)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of ``images`` (N, 3, H, W) at ``out_indices``."""
        check_size(images.shape[-2:], self.smallest_input, REMEDY)
        return collect_maps(self.stem(images), self.stages, self.out_indices)


def _check_kinds(
    stem_activation: str | None, activation: str | None, shortcut: str, convs_per_shortcut: int, widths: Sequence[int]
) -> None:
    for name, value in (('stem_activation', stem_activation), ('activation', activation)):
        if value not in ACTIVATIONS:
            raise ConfigError(f'{name} {value!r} is none of {", ".join(map(repr, ACTIVATIONS))}')
    if shortcut not in SHORTCUTS:
        raise ConfigError(f'shortcut {shortcut!r} is none of {", ".join(map(repr, SHORTCUTS))}')
    if convs_per_shortcut not in (1, 2):
        raise ConfigError(f'convs_per_shortcut {convs_per_shortcut!r} must be 1 or 2')
    for before, after in pairwise(widths) if shortcut == 'pad' else ():
        if after < before or (after - before) % 2:
            raise ConfigError(
                f"shortcut 'pad' adds as many zero channels on each side, which {before} -> {after} does not allow; "
                "widen by an even number, or take 'pool' or 'conv'"
            )


def _start_norms(network: nn.Module, gamma: float) -> None:
    if not gamma > 0:
        raise ConfigError(f'norm_gamma {gamma!r} must be above 0: a BatchNorm that starts at 0 passes no gradient on')
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, gamma)
