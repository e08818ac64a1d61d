"""What all backbones of stages share: the check of their plan, and how their convolutions start."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from binssl.registry import ConfigError

INITS = ('kaiming', 'published_s2bnn')


def initialise(network: nn.Module, init: str) -> None:
    """Fill every convolution of ``network``.

    Args:
        network: a backbone.
        init: 'kaiming': Kaiming normal (fan out). 'published_s2bnn': U(0, 0.001) where weights are binary, with which
            the published S2-BNN (arXiv:2102.08946) starts a one-step training. Every initial binary weight is +1 then,
            whatever the seed, so it is no default; real weights stay Kaiming normal.

    Raises:
        ConfigError: another ``init``.
    """
    if init not in INITS:
        raise ConfigError(f'init {init!r} is none of {", ".join(map(repr, INITS))}')
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
            if init == 'published_s2bnn' and getattr(module, 'weight_binarizer', None) is not None:
                nn.init.uniform_(module.weight, 0, 0.001)


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
