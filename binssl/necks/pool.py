"""From a backbone's maps to one vector per image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from binssl.necks.mlp import MLP
from binssl.registry import NECKS, ConfigError


@NECKS.register_module()
class PoolMLP(nn.Module):
    """Global mean pool of the last map, then an MLP that stays downstream where a paper has one.

    BURN's trunk ends in ``widths=[1024], last_activation=True`` (its fc and ReLU); without
    ``widths`` this is the pool alone, without a parameter.

    Shape: tuple of (N, C, H, W), of which the last is used -> (N, widths[-1]), or (N, C) without widths;
    C H W in place of C where ``pool`` is 'flatten'.

    Args:
        in_channels: width after pooling; needed where there are widths.
        widths: outputs of the MLP's layers, none by default.
        norm: as in :class:`MLP`, as are ``bias``, ``last_activation`` and ``last_norm``.
        pool: 'mean' or 'flatten' (keeps the places, for small maps and raw pixels).

    Raises:
        ConfigError: an unknown pool, or widths without in_channels.
    """

    def __init__(self, in_channels: int | None = None, widths: Sequence[int] = (), norm: str | None = 'BN',
                 bias: bool = True, last_activation: bool = False, last_norm: bool = False,
                 pool: str = 'mean') -> None:
        super().__init__()
        if pool not in ('mean', 'flatten'):
            raise ConfigError(f"pool {pool!r} is unknown: take 'mean' or 'flatten'")
        if widths and in_channels is None:
            raise ConfigError(f'PoolMLP with widths {list(widths)} needs in_channels, the width it pools to')
        if not widths and (last_activation or last_norm):
            raise ConfigError('PoolMLP without widths has no layer for last_activation or last_norm')
        self.pool = pool
        self.in_channels = in_channels
        self.mlp: MLP | None = None
        self.out_channels = in_channels
        if widths and in_channels is not None:
            self.mlp = MLP(in_channels, widths, norm, bias, last_activation, last_norm)
            self.out_channels = self.mlp.out_channels

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(N, C, H, W), the last of ``maps`` -> (N, D)."""
        last = maps[-1]
        features = last.mean(dim=(2, 3)) if self.pool == 'mean' else last.flatten(1)
        return features if self.mlp is None else self.mlp(features)
