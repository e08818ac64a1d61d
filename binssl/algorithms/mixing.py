"""Mixed images: each of a batch with its neighbour, labels likewise (torchvision's MixUp and CutMix)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torchvision.transforms import v2

from binssl.registry import ConfigError, nearest_names

#: mixup (arXiv:1710.09412) weighs two images, CutMix (arXiv:1905.04899) pastes a box of one into the other
KINDS: dict[str, type[v2.Transform]] = {'MixUp': v2.MixUp, 'CutMix': v2.CutMix}


def build_mixing(mix: Sequence[Mapping[str, Any]], num_classes: int) -> v2.Transform | None:
    """What mixes a batch: images (N, C, H, W), labels (N,) -> the same shape, targets (N, num_classes).

    One of ``mix`` is drawn for every batch, each as likely as the others, with one share from Beta(alpha, alpha). Both
    come from torch's generator of the CPU, so that nothing waits for the device.

    Args:
        mix: configs, ``dict(type='MixUp', alpha=0.2)`` or ``dict(type='CutMix', alpha=1.0)``; alpha is 1 by default.
        num_classes: of the labels.

    Returns:
        None where ``mix`` is empty.

    Raises:
        ConfigError: an unknown type or key, or an alpha that is not positive.
    """
    if not isinstance(mix, (list, tuple)):
        raise ConfigError(f"mix is a list of configs, such as [dict(type='MixUp', alpha=0.2)], not {mix!r}")
    return v2.RandomChoice([_build_one(config, num_classes) for config in mix]) if mix else None


def _build_one(config: Mapping[str, Any], num_classes: int) -> v2.Transform:
    if not isinstance(config, Mapping):
        raise ConfigError(f"mix holds dicts with a type, such as dict(type='MixUp', alpha=0.2), not {config!r}")
    if config.get('type') not in KINDS:
        raise ConfigError(f'mix does not know {config.get("type")!r}; {nearest_names(str(config.get("type")), KINDS)}')
    for key in config:
        if key not in ('type', 'alpha'):
            raise ConfigError(f'{config["type"]} of mix does not take {key!r}; {nearest_names(key, ("alpha",))}')
    alpha = config.get('alpha', 1.0)
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < float('inf'):
        raise ConfigError(
            f'alpha {alpha!r} of {config["type"]} must be a positive number; 0.2 for MixUp and 1 for CutMix are usual'
        )
    return KINDS[config['type']](alpha=alpha, num_classes=num_classes)
