"""Whether two model configs describe one network: keys and shapes alone do not tell a real one from a binary one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRECISION = ('conv_cfg', 'activation', 'weight')
SCHEDULED = ('tau',)  # where a run begins with it: ReCU's clamp moves its gradient and nothing that it computes


def differing_network(recorded: Mapping[str, Any], wanted: Mapping[str, Any], where: str = '') -> list[str]:
    """Dotted names under which a file's recorded config and another contradict each other, with both values.

    A key that only one of them has counts as that part's default, except those of :data:`PRECISION`: the precision of a
    network changes no shape, so it has to be said on both sides. Those of :data:`SCHEDULED` may differ.
    """
    rows = []
    for key in dict.fromkeys([*recorded, *wanted]):
        if key in SCHEDULED:
            continue
        name = f'{where}.{key}'.strip('.')
        ours, theirs = recorded.get(key), wanted.get(key)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            rows += differing_network(ours, theirs, name)
        elif (key in PRECISION or (key in recorded and key in wanted)) and _plain(ours) != _plain(theirs):
            rows.append(f'{name}: {ours!r} in the file, {theirs!r} in the config')
    return rows


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
