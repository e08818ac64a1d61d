"""The plan of a backbone: its checks, its stages, how maps are collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from torch import Tensor, nn

from binssl.registry import ConfigError

Maps = TypeVar('Maps', Tensor, tuple[Tensor, Tensor])


def check_stages(stem: str, widths: Sequence[int], depths: Sequence[int]) -> None:
    """Refuse a plan of stages that is inconsistent.

    Raises:
        ConfigError: an unknown stem, or not one width and depth >= 1 for each stage.
    """
    if stem not in ('imagenet', 'small'):
        raise ConfigError(f"stem {stem!r} must be 'imagenet' or 'small'")
    if not widths or len(widths) != len(depths) or min(*widths, *depths) < 1:
        raise ConfigError(f'widths {tuple(widths)} and depths {tuple(depths)} must have one number >= 1 for each stage')


def count_from_start(out_indices: Sequence[int], total: int, kind: str) -> tuple[int, ...]:
    """``out_indices`` of the ``total`` maps, which are of a ``kind``, without negative ones.

    Raises:
        ConfigError: none is given, or one that there is not.
    """
    if not out_indices or not all(-total <= index < total for index in out_indices):
        raise ConfigError(f'out_indices {tuple(out_indices)} must name some of the {total} {kind}')
    return tuple(index % total for index in out_indices)


def check_size(size: Sequence[int] | int | None, smallest: int, remedy: str) -> None:
    """Refuse images smaller than ``smallest`` px, see :func:`smallest_input`.

    Args:
        size: their height and width, their side, or None where it is not known.
        smallest: in pixels.
        remedy: what to change, for the message.

    Raises:
        ConfigError: they are smaller.
    """
    if size is None:
        return
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < smallest:
        raise ConfigError(
            f'images of {height} x {width} px are too small for this plan: its maps would fall below 1 x 1. '
            f'The smallest that fit are {smallest} x {smallest}; or take {remedy}'
        )


def smallest_input(stem_stride: int, strides: Sequence[int]) -> int:
    """Side in pixels of the smallest image of which no map of a single pixel has to be halved.

    Args:
        stem_stride: by how much the stem divides the image, rounding up.
        strides: of the stages or blocks: 1, or 2, which makes n px of 2n - 1.
    """
    size = 1
    for stride in reversed(strides):
        size = 2 * size - 1 if stride == 2 and size > 1 else size * stride
    return (size - 1) * stem_stride + 1


def build_stages(
    widths: Sequence[int], depths: Sequence[int], block: Callable[[int, int, str], nn.Module]
) -> nn.ModuleList:
    """The stages of a network, every one but the first halving the map in its first block.

    Args:
        widths: of each stage, the first one the stem's too.
        depths: blocks of each.
        block: (width before, width, place) -> a block; the place is 'first' in the network, 'change' of a stage, or
            'inner'.
    """
    stages = nn.ModuleList()
    for before, width, depth in zip([widths[0], *widths[:-1]], widths, depths, strict=True):
        first = block(before, width, 'change' if stages else 'first')
        stages.append(nn.Sequential(first, *(block(width, width, 'inner') for _ in range(depth - 1))))
    return stages


def check_signs(network: nn.Module, **activations: str | None) -> None:
    """Refuse a ReLU in front of a sign.

    Args:
        network: with its convolutions.
        activations: what stands in front of them, each by the name of its parameter.

    Raises:
        ConfigError: one of them is 'ReLU', and a convolution takes the sign of its input.
    """
    # 32 bits: no activation, or a real function in the place of a sign
    signs = any(getattr(module, 'input_bits', 32) == 1 for module in network.modules())
    for name, value in activations.items():
        if value == 'ReLU' and signs:
            raise ConfigError(
                f"{name}='ReLU' leaves no negative number, and the sign of a binary input would be +1 throughout; "
                f"take {name}='Hardtanh', to which the weights of a network with 'ReLU' fit"
            )


def collect_maps(x: Maps, parts: Iterable[nn.Module], out_indices: Sequence[int]) -> tuple[Maps, ...]:
    """Run ``parts`` (stages or blocks) one after the other, from ``x`` on: the outputs of those at ``out_indices``.

    ``x`` is a map, or the streams of a network that has several; what stands behind the last one wanted is not run.
    """
    maps = []
    for part in list(parts)[: max(out_indices) + 1]:
        x = part(x)
        maps.append(x)
    return tuple(maps[index] for index in out_indices)
