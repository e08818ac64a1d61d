"""Strict loading, and the tables of what does not fit: keys, shapes, or settings of the network."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from binssl.checkpoints.files import CheckpointError
from binssl.registry import ALGORITHMS, BACKBONES, BINARIZERS, CONVS, GRADIENTS, HEADS, NECKS

ROWS_SHOWN = 15
PRECISION = ('conv_cfg', 'activation', 'weight')
#: of no influence on what is computed (how weights started, pseudo-gradients, the images' size), or told by shapes
QUIET = frozenset(
    'init norm_gamma weights ste gradient scale_gradient input_size out_indices channels_last non_blocking views '
    'in_channels channels widths depths'.split()
)
NETWORK = (BACKBONES, NECKS, HEADS, CONVS, BINARIZERS, GRADIENTS, ALGORITHMS)
LEFT_OUT = {'neck': {'type': 'PoolMLP'}}  # the parts of a network whose config leaves them out
SCHEDULED = ('tau',)  # where a run begins with it: ReCU's clamp moves its gradient and nothing that it computes


@dataclass(frozen=True)
class LoadReport:
    """What :func:`load_weights` did: the keys loaded, those left as they were, those of the file not used."""

    loaded: tuple[str, ...]
    missed: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f'{len(self.loaded)} tensors loaded']
        if self.missed:
            parts.append(f'{len(self.missed)} kept as initialised ({_parts_of(self.missed)})')
        if self.ignored:
            parts.append(f'{len(self.ignored)} of the file not used ({_parts_of(self.ignored)})')
        return ', '.join(parts)


def load_weights(
    model: nn.Module, state_dict: Mapping[str, Tensor], may_miss: Sequence[str] = (), ignore: Sequence[str] = ()
) -> LoadReport:
    """Load ``state_dict`` into ``model``, strictly; on any mismatch nothing is loaded.

    Args:
        model: any module.
        state_dict: weights by key.
        may_miss: parts of the model (``'head'``, ``'head.projector'``) that the file need not have.
        ignore: parts of the file that are not used.

    Raises:
        CheckpointError: with a table of the keys that are missing, unexpected or of another shape; or a tensor that
            is not finite.
    """
    expected = model.state_dict()
    if expected and not state_dict:
        raise CheckpointError('the state dict is empty: nothing to load')
    ignored = tuple(key for key in state_dict if in_parts(key, ignore))
    given = {key: value for key, value in state_dict.items() if not in_parts(key, ignore)}
    missed = tuple(key for key in expected if key not in given and in_parts(key, may_miss))
    check_match({key: value for key, value in expected.items() if key not in missed}, given)
    if ill := [key for key, value in given.items() if not value.to(expected[key].dtype).isfinite().all()]:
        more = f' and {len(ill) - 1} more' if len(ill) > 1 else ''
        raise CheckpointError(
            f'{ill[0]}{more} of the weights hold values that are not finite: they come from a run '
            'that went wrong; take another file'
        )
    model.load_state_dict(given, strict=not missed)
    return LoadReport(tuple(given), missed, ignored)


def check_match(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Compare the keys and shapes of two state dicts.

    Raises:
        CheckpointError: they differ; the message is the table, or that all of the trunk is missing.
    """
    _check_trunk(expected, given)
    missing = [key for key in expected if key not in given]
    unexpected = [key for key in given if key not in expected]
    reshaped = [key for key in given if key in expected and given[key].shape != expected[key].shape]
    same = [key for key in given if key in expected and key not in reshaped]
    whole = [key for key in same if expected[key].is_floating_point() and not given[key].is_floating_point()]
    if not (missing or unexpected or reshaped or whole):
        return
    rows = {
        'missing': [f'{key} {_shape(expected[key])}' for key in missing],
        'unexpected': [f'{key} {_shape(given[key])}' for key in unexpected],
        'other shape': [f'{key} {_shape(given[key])}, needed {_shape(expected[key])}' for key in reshaped],
        'whole numbers for real ones': [f'{key} {given[key].dtype}' for key in whole],
    }
    fitting = len(same) - len(whole)
    title = f'the weights do not fit the model: {fitting} of its {len(expected)} tensors match, none loaded'
    raise CheckpointError('\n'.join([title, *_table(rows), *_prefix_hint(missing, unexpected)]))


def _check_trunk(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Refuse weights that are the model's, but nothing of its backbone: a table of all of it would hide that."""
    needed, there = ({key.split('.')[0]: None for key in weights} for weights in (expected, given))
    if 'backbone' in needed and there and there.keys() <= needed.keys() - {'backbone'}:
        raise CheckpointError(
            f'the file holds no trunk: of the model only {", ".join(there)}, nothing of its '
            'backbone; take the checkpoint or weights file of the run that trained the backbone'
        )


def differing_network(recorded: Mapping[str, Any], wanted: Mapping[str, Any], where: str = '') -> list[str]:
    """Dotted names under which a file's recorded config and another are of different functions, with both values.

    Keys and shapes alone do not tell a real network from a binary one, or a border of 0 from one of 1. A setting that
    only one of them has is compared with the default of its part, except those of :data:`QUIET`, which change nothing
    that is computed; those of :data:`SCHEDULED` may differ.
    """
    rows = []
    for key in dict.fromkeys([*recorded, *wanted]):
        if key in SCHEDULED:
            continue
        name = f'{where}.{key}'.strip('.')
        ours, theirs = (part[key] if key in part else _default(part, key) for part in (recorded, wanted))
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping) and key in recorded and key in wanted:
            rows += differing_network(ours, theirs, name)
        elif isinstance(ours, Mapping) and isinstance(theirs, Mapping) and not differing_network(ours, theirs):
            continue
        elif _UNKNOWN not in (ours, theirs) and _plain(ours) != _plain(theirs):
            rows.append(f'{name}: {ours!r} in the file, {theirs!r} in the config')
    return rows


_UNKNOWN = '<unknown>'


def _default(part: Mapping[str, Any], key: str) -> Any:
    """What a part takes where its config leaves ``key`` out; None for a precision of a part that is not known."""
    kind = part.get('type')
    known = next((registry for registry in NETWORK if isinstance(kind, str) and kind in registry.names()), None)
    if key in QUIET or known is None:
        return None if key in PRECISION else _UNKNOWN
    parameter = inspect.signature(known.get(str(kind))).parameters.get(key)
    if parameter is None or parameter.default is parameter.empty:
        return None if key in PRECISION else _UNKNOWN
    return parameter.default


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def in_parts(key: str, parts: Iterable[str]) -> bool:
    """Whether ``key`` is one of ``parts`` or lies inside one; a trailing dot of a part does not matter."""
    return any(key == part.rstrip('.') or key.startswith(part.rstrip('.') + '.') for part in parts)


def select_part(state_dict: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose keys start with ``prefix``, without it."""
    return {key.removeprefix(prefix): value for key, value in state_dict.items() if key.startswith(prefix)}


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _parts_of(keys: Iterable[str]) -> str:
    return ', '.join(dict.fromkeys(key.split('.')[0] for key in keys))


def _table(rows: Mapping[str, list[str]]) -> list[str]:
    lines = []
    for title, entries in rows.items():
        if entries:
            lines.append(f'  {title} ({len(entries)}):')
            lines += [f'    {entry}' for entry in entries[:ROWS_SHOWN]]
        if len(entries) > ROWS_SHOWN:
            lines.append(f'    ... and {len(entries) - ROWS_SHOWN} more')
    return lines


def _prefix_hint(missing: Sequence[str], unexpected: Sequence[str]) -> list[str]:
    """A line for the usual case: the same names, but one side has a prefix (``module.``) before them."""
    too_long, too_short = _common_prefix(unexpected, missing), _common_prefix(missing, unexpected)
    if too_long:
        return [f"  hint: the file's keys start with {too_long!r}, the model's do not"]
    return [f"  hint: the model's keys start with {too_short!r}, the file's do not"] if too_short else []


def _common_prefix(longer: Sequence[str], shorter: Sequence[str]) -> str | None:
    """The prefix that turns most of ``shorter`` into keys of ``longer``, if there is one."""
    known = set(shorter)
    found = Counter(
        key[:cut] for key in longer for cut in range(1, len(key)) if key[cut - 1] == '.' and key[cut:] in known
    )
    prefix, hits = found.most_common(1)[0] if found else (None, 0)
    return prefix if 2 * hits > len(shorter) else None
