"""How weights start: by our rules, and by those of published code, as read in it."""

from __future__ import annotations

from typing import Literal

from torch import nn

from binssl.registry import ConfigError

#: a rule of convolutions -> Kaiming's mode (None: torch's default), and whether binary weights start above zero
CONVOLUTIONS: dict[str, tuple[Literal['fan_in', 'fan_out'] | None, bool]] = {
    'kaiming': ('fan_out', False),
    'kaiming_fan_in': ('fan_in', False),
    'torch': (None, False),
    'torch_positive': (None, True),
    'published_s2bnn': (None, True),  # the former name
}
LINEAR_LAYERS = ('torch', 'kaiming', 'normal')


def start_convolutions(network: nn.Module, init: str) -> None:
    """Fill every convolution of ``network``, real and binary; fan_in and fan_out are k x k times its widths.

    ==================  ====================================================================================
    'kaiming'           N(0, 2 / fan_out). Ours; torchvision's ResNets and ReCU's VGG-small
    'kaiming_fan_in'    N(0, 2 / fan_in). ReCU's ResNets, BURN's release (and BYOL in it), in both steps
    'torch'             U(-b, b), b = fan_in^-1/2: torch's default, 2.4 times smaller. Step 1 of ReActNet and of
                        S2-BNN, ReCU in two stages
    'torch_positive'    the same, but U(0, 0.001) where weights are binary. Bi-Real Net from scratch (arXiv:1808.00278),
                        ReActNet and S2-BNN without a step 1. Every first binary weight is +1, whatever the seed
    ==================  ====================================================================================

    On the digits Bi-Real Net from scratch has 94.7, 95.3, 94.4 top-1 with the first, 95.3, 92.2, 96.4 with the last.

    Args:
        network: a backbone as its constructors left it, so by torch's default.
        init: one of the rules above.

    Raises:
        ConfigError: another ``init``.
    """
    if init not in CONVOLUTIONS:
        raise ConfigError(f'init {init!r} is none of {", ".join(map(repr, CONVOLUTIONS))}')
    mode, positive = CONVOLUTIONS[init]
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            if mode is not None:
                nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity='relu')
            if positive and getattr(module, 'weight_binarizer', None) is not None:
                nn.init.uniform_(module.weight, 0, 0.001)


def start_linear_layers(part: nn.Module, init: str) -> None:
    """Fill every linear layer of a neck or a head.

    ==========  ========================================================================================
    'torch'     U(-b, b), b = fan_in^-1/2, biases too: torch's default. Bi-Real Net, ReActNet, ReCU's ResNets, S2-BNN
    'kaiming'   N(0, 2 / fan_in), biases 0. Both classifiers of BURN's release, BYOL's projector in it
    'normal'    N(0, 0.01^2), biases 0. BYOL's predictor there, ReCU's VGG-small, MoCo's linear evaluation
    ==========  ========================================================================================

    Args:
        part: with its layers as their constructors left them.
        init: one of the rules above.

    Raises:
        ConfigError: another ``init``.
    """
    if init not in LINEAR_LAYERS:
        raise ConfigError(f'init {init!r} is none of {", ".join(map(repr, LINEAR_LAYERS))}')
    for layer in part.modules():
        if isinstance(layer, nn.Linear) and init != 'torch':
            if init == 'kaiming':
                nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
            else:
                nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
