"""One multi-layer perceptron for every projector, predictor and classifier of the papers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from binssl.core.initialisation import start_linear_layers
from binssl.registry import NECKS, ConfigError


@NECKS.register_module()
class MLP(nn.Sequential):
    """Linear layers with ReLU, and normalisation if asked, between them.

    A layer i is ``linear<i>``, ``norm<i>``, then a ReLU; the last one is linear alone unless told otherwise.
    MoCo v2's projector is ``widths=[1024, 128], norm=None`` (arXiv:2003.04297), BURN's classifiers are
    ``widths=[2000, 2000], norm='BN'`` (arXiv:2110.08851).

    Shape: (N, in_channels) -> (N, widths[-1]).

    Args:
        in_channels: width of the input.
        widths: outputs of each linear layer; at least one.
        norm: 'BN' for BatchNorm1d, which several processes synchronise as all others, or None.
        bias: whether the linear layers have one.
        last_activation: whether a ReLU follows the last layer.
        last_norm: whether ``norm`` follows the last layer.
        last_norm_affine: whether that one has a scale and a shift; SimSiam's projector ends without
            (arXiv:2011.10566).
        last_bias: whether the last layer has one, where that differs from ``bias``: SimSiam's predictor is
            ``widths=[512, 2048], bias=False, last_bias=True``.
        init: how the linear layers start, see :func:`binssl.core.initialisation.start_linear_layers`.

    Raises:
        ConfigError: no width, a width below 1, an unknown norm or init, a setting of a layer that is not there.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        norm: str | None = 'BN',
        bias: bool = True,
        last_activation: bool = False,
        last_norm: bool = False,
        last_norm_affine: bool = True,
        last_bias: bool | None = None,
        init: str = 'torch',
    ) -> None:
        super().__init__()
        _check(in_channels, widths, norm, last_norm, last_norm_affine)
        self.in_channels, self.out_channels = in_channels, widths[-1]
        width_before = in_channels
        for layer, width in enumerate(widths):
            last = layer == len(widths) - 1
            has_bias = last_bias if last and last_bias is not None else bias
            self.add_module(f'linear{layer}', nn.Linear(width_before, width, bias=has_bias))
            if norm and (last_norm or not last):
                self.add_module(f'norm{layer}', nn.BatchNorm1d(width, affine=last_norm_affine or not last))
            if last_activation or not last:
                # in place: neither a linear layer nor a BatchNorm keeps its output for the backward pass
                self.add_module(f'relu{layer}', nn.ReLU(inplace=True))
            width_before = width
        start_linear_layers(self, init)


def _check(in_channels: int, widths: Sequence[int], norm: str | None, last_norm: bool, last_norm_affine: bool) -> None:
    if not widths:
        raise ConfigError('an MLP needs at least one layer: widths is empty')
    if min(in_channels, *widths) < 1:
        raise ConfigError(f'an MLP needs widths of 1 and more, not {in_channels} -> {list(widths)}')
    if norm not in ('BN', None):
        raise ConfigError(f"norm {norm!r} is unknown: take 'BN' or None")
    if last_norm and norm is None:
        raise ConfigError("last_norm=True needs norm='BN'; with norm=None there is nothing to add")
    if not last_norm_affine and not last_norm:
        raise ConfigError('last_norm_affine=False needs last_norm=True; without it there is no last norm')
