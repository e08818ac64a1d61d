"""Whether two data sets mean the same by a label."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from binssl.registry import FUNCTIONS, ConfigError


@FUNCTIONS.register_module()  # how the loops reach it
def check_same_classes(first: Any, second: Any, first_name: str, second_name: str) -> None:
    """Compare the ``classes`` of two data sets, or else their ``num_classes``; what one of them lacks is not compared.

    Args:
        first: a data set; ``classes`` are the names of its class folders in the order of their labels.
        second: another.
        first_name: what the config calls the first, for the error.
        second_name: the same of the second.

    Raises:
        ConfigError: they differ. From the first difference on, a label would not mean the same in both.
    """
    names = [getattr(data, 'classes', None) for data in (first, second)]
    if names[0] and names[1]:
        _check_names(names[0], names[1], first_name, second_name)
        return
    counts = [getattr(data, 'num_classes', None) for data in (first, second)]
    if counts[0] and counts[1] and counts[0] != counts[1]:
        raise ConfigError(
            f'{first_name} has {counts[0]} classes and {second_name} {counts[1]}, so their labels would not mean the '
            'same. Use sets of the same classes; a list of images that lacks the last of them must be given num_classes'
        )


def _check_names(first: list[str], second: list[str], first_name: str, second_name: str) -> None:
    for label, (one, other) in enumerate(zip_longest(first, second)):
        if one != other:
            raise ConfigError(
                f'{first_name} and {second_name} have different class folders ({len(first)} and {len(second)}), so '
                f'their labels would not mean the same: label {label} is {_told(one)} in {first_name} and '
                f'{_told(other)} in {second_name}. Give both the same class folders, or the labels by lists of images '
                "(type='ImageList')"
            )


def _told(name: str | None) -> str:
    return 'none' if name is None else repr(name)
