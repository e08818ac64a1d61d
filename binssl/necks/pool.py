"""Pooling: from a backbone's maps to one vector an image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from binssl.necks.mlp import MLP
from binssl.registry import NECKS, ConfigError


@NECKS.register_module()
class PoolMLP(nn.Module):
    """Global mean pool of the last map, then what stays downstream where a paper has it: BatchNorm, an MLP.

    BURN's trunk ends in ``widths=[1024], last_activation=True`` (its fc and ReLU), ReCU's ResNets in
    ``pool_norm='BN'`` (arXiv:2103.12369); without either this is the pool alone, without a parameter.

    Shape: tuple of (N, C, H, W), of which the last is used -> (N, widths[-1]), or (N, C) without widths;
    C H W in place of C where ``pool`` is 'flatten'.

    Args:
        in_channels: width after pooling; needed where there are widths or a pool_norm.
        widths: outputs of the MLP's layers, none by default.
        norm: as in :class:`MLP`, as are ``bias``, ``last_activation`` and ``last_norm``.
        pool: 'mean' or 'flatten' (keeps the places, for small maps and raw pixels).
        pool_norm: 'BN' for a BatchNorm1d between the pool and the MLP, if any; or None.

    Raises:
        ConfigError: an unknown pool or pool_norm, or either widths or pool_norm without in_channels.
    """

    def __init__(
        self,
        in_channels: int | None = None,
        widths: Sequence[int] = (),
        norm: str | None = 'BN',
        bias: bool = True,
        last_activation: bool = False,
        last_norm: bool = False,
        pool: str = 'mean',
        pool_norm: str | None = None,
    ) -> None:
        super().__init__()
        _check(in_channels, widths, last_activation or last_norm, pool, pool_norm)
        self.pool = pool
        self.in_channels = in_channels
        self.norm = nn.BatchNorm1d(in_channels) if pool_norm and in_channels is not None else nn.Identity()
        self.mlp: MLP | None = None
        self.out_channels = in_channels
        if widths and in_channels is not None:
            self.mlp = MLP(in_channels, widths, norm, bias, last_activation, last_norm)
            self.out_channels = self.mlp.out_channels

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(N, C, H, W), the last of ``maps`` -> (N, D)."""
        last = maps[-1]
        features = self.norm(last.mean(dim=(2, 3)) if self.pool == 'mean' else last.flatten(1))
        return features if self.mlp is None else self.mlp(features)


def _check(
    in_channels: int | None, widths: Sequence[int], ends_in_more: bool, pool: str, pool_norm: str | None
) -> None:
    if pool not in ('mean', 'flatten'):
        raise ConfigError(f"pool {pool!r} is unknown: take 'mean' or 'flatten'")
    if pool_norm not in ('BN', None):
        raise ConfigError(f"pool_norm {pool_norm!r} is unknown: take 'BN' or None")
    if (widths or pool_norm) and in_channels is None:
        given = f'widths {list(widths)}' if widths else f'pool_norm {pool_norm!r}'
        raise ConfigError(f'PoolMLP with {given} needs in_channels, the width it pools to')
    if not widths and ends_in_more:
        raise ConfigError('PoolMLP without widths has no layer for last_activation or last_norm')
