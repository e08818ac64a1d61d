"""What all backbones of stages share: the check of their plan, and how their convolutions start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from binssl.registry import ConfigError

INITS = ('kaiming', 'published_s2bnn')


def initialise(network: nn.Module, inner: Iterable[nn.Conv2d], init: str) -> None:
    """Fill every convolution of ``network``: Kaiming normal (fan out), and ``inner`` as ``init`` says.

    Args:
        network: a backbone.
        inner: its convolutions by ``conv_cfg``, as opposed to the stem and shortcuts, which stay real.
        init: 'kaiming', or 'published_s2bnn': U(0, 0.001), with which the published S2-BNN starts. Every initial
            binary weight is +1 then, whatever the seed, so it is no default.

    Raises:
        ConfigError: another ``init``.
    """
    if init not in INITS:
        raise ConfigError(f'init {init!r} is none of {", ".join(map(repr, INITS))}')
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
    if init == 'published_s2bnn':
        for conv in inner:
            nn.init.uniform_(conv.weight, 0, 0.001)


def check_stages(stem: str, widths: Sequence[int], depths: Sequence[int], out_indices: Sequence[int]) -> None:
    """Refuse a plan of stages that is inconsistent.

    Raises:
        ConfigError: an unknown stem, not one width and depth >= 1 for each stage, no or unknown ``out_indices``.
    """
    if stem not in ('imagenet', 'small'):
        raise ConfigError(f"stem {stem!r} must be 'imagenet' or 'small'")
    if not widths or len(widths) != len(depths) or min(*widths, *depths) < 1:
        raise ConfigError(
            f'widths {tuple(widths)} and depths {tuple(depths)} must have one number >= 1 for each stage'
        )
    if not out_indices or not all(-len(widths) <= index < len(widths) for index in out_indices):
        raise ConfigError(f'out_indices {tuple(out_indices)} must name some of the {len(widths)} stages')
