"""Every registry of binssl, and the checks that a config meets when one of its parts is built.

``ALGORITHMS`` is the child of mmengine's ``MODELS`` (a root takes one child per scope); the parts of a
network have registries of their own, without a parent. The children of the other roots exist so that the
Runner finds our classes by name and falls back on mmengine's.
"""

from __future__ import annotations

import builtins
import difflib
import importlib
import inspect
import math
import re
import sys
import traceback
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import mmengine.registry as roots
from mmengine.config import Config, ConfigDict

SCOPE = 'binssl'
#: whose code is neither ours nor a user's
LIBRARIES = {
    *'torch torchvision mmengine mmcv cv2 numpy PIL rich setuptools sklearn scipy joblib matplotlib'.split(),
    *'tensorboard timm torchmetrics pycocotools umap numba pynndescent safetensors nvidia'.split(),
    *sys.stdlib_module_names,
}
#: types of plain data, by the hint that asks for them
_PLAIN: dict[Any, Any] = {
    bool: bool,
    int: int,
    float: (int, float),
    str: str,
    NoneType: NoneType,
    **dict.fromkeys((dict, Mapping), Mapping),
    **dict.fromkeys((list, tuple, Sequence), (list, tuple)),
}


class ConfigError(ValueError):
    """A config asks for something that does not exist or does not fit."""


class DataError(ConfigError):
    """Data that a config names are missing, malformed or unreadable.

    torch builds an error of a loader's worker again with the worker's traceback as its message; of that, only the
    message that the worker gave is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f'{__name__}.{type(self).__name__}: ')[2].rstrip())


class TrainingError(RuntimeError):
    """Training cannot go on: a loss that is not finite, a parameter without gradient, too many bad images."""


def nearest_names(name: str, known: Iterable[str]) -> str:
    """A phrase that helps with a mistyped ``name``: the nearest of ``known``, or all of a short list."""
    known = sorted(set(known))
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return 'did you mean ' + ' or '.join(repr(match) for match in close) + '?'
    shown = ', '.join(known[:30]) + (', ...' if len(known) > 30 else '')
    return f'known: {shown}' if known else 'there is none to choose from'


class Registry(roots.Registry):
    """mmengine's registry with answers: an unknown type names the nearest registered ones, a stray or missing key, or
    a value of a wrong kind for one of our parts, names the part that it was meant for.

    Raises:
        ConfigError: from :meth:`build`, before anything is constructed; or where a library's constructor (an optimiser
            of torch) refuses a value. What else a constructor raises comes out as it is, with its traceback.
    """

    def build(self, cfg: dict | ConfigDict | Config, *args: Any, **kwargs: Any) -> Any:
        self.check(cfg, kwargs.get('default_args') or (args[0] if args else None) or {})
        try:
            return super().build(cfg, *args, **kwargs)
        except (TypeError, ValueError, AttributeError, KeyError, AssertionError) as error:
            if isinstance(error, ConfigError) or not raised_within(error):
                raise
            reason = f'{type(error).__name__}: {error}; it was given {dict(cfg)}'
            raise ConfigError(f'{self.name} {cfg.get("type")} cannot be built: {reason}') from error

    def get(self, key: str) -> Any:
        """The part that is called ``key``, or that an import path leads to; None where there is none.

        mmengine would take any importable module whose name is ``key``.
        """
        return super().get(key) if '.' in key or key in self.names() else None

    def names(self) -> set[str]:
        """All that is registered here, and in the registry that this one falls back on."""
        self.import_from_location()
        return {*self.module_dict, *(self.parent.module_dict if self.parent is not None else ())}

    def check(self, cfg: Any, default_args: Iterable[str] = ()) -> None:
        """Raise a ConfigError unless ``cfg`` (with ``default_args`` given later) names a part and fits it."""
        if not isinstance(cfg, (dict, Config)):
            raise ConfigError(f'a {self.name} is built from a dict with a `type`, not from {cfg!r}')
        kind = cfg.get('type', default_args.get('type') if isinstance(default_args, dict) else None)
        if not kind:
            raise ConfigError(f'a {self.name} needs a `type`; this has only {sorted(cfg)}')
        part = self.get(kind) if isinstance(kind, str) else kind
        if part is None:
            _check_module(kind)
            raise ConfigError(f'no {self.name} is called {kind!r}; {nearest_names(kind, self.names())}')
        name = kind if isinstance(kind, str) else getattr(part, '__name__', str(kind))
        values = {key: value for key, value in cfg.items() if key not in ('type', '_scope_')}
        check_call(f'{self.name} {name}', part, values, set(default_args) - {'type', '_scope_'})


def check_call(name: str, part: Any, values: Any, later: Collection[str] = ()) -> None:
    """Raise a ConfigError unless ``values`` are arguments of ``part``, by their names and types.

    Args:
        name: what a config calls the part.
        later: names of the arguments that it is given besides.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f'{name} must be a dict, not {values!r}')
    _check_keys(name, part, {*values, *later})
    for key, hint in _hints(part).items():
        if key in values:
            _check_type(f'{name}: {key}', values[key], hint)


def check_values(name: str, values: Any, hints: Mapping[str, Any]) -> None:
    """Raise a ConfigError unless ``values`` is a dict of keys that ``hints`` has, each of the type that it says."""
    if not isinstance(values, Mapping):
        raise ConfigError(f'{name} must be a dict, not {values!r}')
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f'{name} does not take {key!r}; {nearest_names(key, hints)}')
        _check_type(f'{name}.{key}'.lstrip('.'), value, hints[key])


def _check_type(name: str, value: Any, hint: Any) -> None:
    if not _fits(value, hint):
        kinds = re.sub(r'\w+\.', '', inspect.formatannotation(hint)).replace(' | ConfigDict', '')
        raise ConfigError(f'{name} is {value!r}; it must be {"a number" if value != value else kinds}')


def _check_keys(name: str, part: Any, given: set[str]) -> None:
    try:
        parameters = inspect.signature(part).parameters.values()
    except (TypeError, ValueError):  # C classes have no signature: they check for themselves
        return
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    stray = sorted(given - {p.name for p in named})
    if stray and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        hints = '; '.join(f'{key!r}: {nearest_names(key, (p.name for p in named))}' for key in stray)
        raise ConfigError(f'{name} does not take {", ".join(map(repr, stray))} ({hints})')
    missing = [p.name for p in named if p.default is p.empty and p.name not in given]
    if missing:
        raise ConfigError(f'{name} needs {", ".join(map(repr, missing))}')


def _check_module(kind: str) -> None:
    """Say why ``MODULE.CLASS`` is not found; an error inside of the module keeps its traceback."""
    module, _, name = kind.rpartition('.')
    if not all(word.isidentifier() for word in kind.split('.')) or not module:
        return
    try:
        known = vars(importlib.import_module(module))
    except ModuleNotFoundError as error:
        if not f'{module}.'.startswith(f'{error.name}.'):  # of what the module imports
            raise
        raise ConfigError(f'no module {module!r} for {kind!r}; is its folder on the PYTHONPATH?') from None
    raise ConfigError(f'module {module!r} has no {name!r}; {nearest_names(name, known)}')


def raised_within(error: BaseException, packages: Collection[str] = ()) -> bool:
    """Whether an error, on its way to the caller, came through no other code than LIBRARIES and ``packages``."""
    code = traceback.walk_tb(error.__traceback__ and error.__traceback__.tb_next)
    return {frame.f_globals.get('__name__', '').partition('.')[0] for frame, _ in code} <= LIBRARIES | set(packages)


@cache
def _hints(part: Any) -> dict[str, Any]:
    """The types that a part states for its arguments; what a constructor hands on to its bases' included."""
    hints: dict[str, Any] = {}
    for function in [vars(kind).get('__init__') for kind in part.__mro__] if inspect.isclass(part) else [part]:
        try:
            parameters = inspect.signature(function).parameters.values() if function else []
        except (TypeError, ValueError):  # C classes
            return hints
        known = {**vars(builtins), **vars(typing), **getattr(function, '__globals__', {})}
        for parameter in parameters:
            hints.setdefault(parameter.name, _hint(parameter, known))
        if function and not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return hints


def _hint(parameter: inspect.Parameter, known: dict[str, Any]) -> Any:
    """The type that a parameter states, or that its default shows: True or False, which any text would pass for."""
    hint, default = parameter.annotation, parameter.default
    if hint is parameter.empty:
        return bool if isinstance(default, bool) else Any
    if isinstance(hint, str):
        try:
            hint = eval(hint, known)
        except Exception:  # a name that only a type checker knows
            return Any
    if default is parameter.empty or _fits(default, hint):
        return hint
    return Union[hint, None] if default is None else Any  # noqa: UP007  # `|` knows no names as strings


def _fits(value: Any, hint: Any) -> bool:
    """Whether plain data of a config are of the type ``hint``; True for what no config can hold."""
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return _fits_any(value, inner)
    if kind is Literal:
        return any(value == choice and type(value) is type(choice) for choice in inner)
    is_plain = isinstance(value, (bool, int, float, str, list, tuple, Mapping, NoneType))
    if not is_plain or kind not in _PLAIN:
        return True
    if isinstance(value, bool):
        return kind is bool
    if not isinstance(value, _PLAIN[kind]) or (isinstance(value, float) and math.isnan(value)):
        return False
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        return len(value) == len(inner) and all(map(_fits, value, inner))
    if inner and kind in (dict, Mapping, list, tuple, Sequence):
        items = value.values() if isinstance(value, Mapping) else value
        return all(_fits(item, inner[0] if kind is tuple else inner[-1]) for item in items)
    return True


def _fits_any(value: Any, choices: Sequence[Any]) -> bool:
    """As :func:`_fits`, of a union: numbers, text and lists must be ones that it names, where it names any."""
    named = [c for c in choices if c is not NoneType and (get_origin(c) or c) in (*_PLAIN, Union, UnionType, Literal)]
    if named and isinstance(value, (bool, int, float, str, list, tuple)):
        choices = named
    return any(_fits(value, choice) for choice in choices)


def _part(name: str, location: str) -> Registry:
    return Registry(name, scope=SCOPE, locations=[f'binssl.{location}'])


def _child(root: roots.Registry, location: str) -> Registry:
    return Registry(root.name, parent=root, scope=SCOPE, locations=[f'binssl.{location}'])


CONVS = _part('convolution', 'binary')
BINARIZERS = _part('binarizer', 'binary')
GRADIENTS = _part('pseudo-gradient', 'binary')
BACKBONES = _part('backbone', 'backbones')
NECKS = _part('neck', 'necks')
HEADS = _part('head', 'heads')

ALGORITHMS = Registry('algorithm', parent=roots.MODELS, scope=SCOPE, locations=['binssl.algorithms'])
DATASETS = _child(roots.DATASETS, 'datasets')
DATA_SAMPLERS = _child(roots.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child(roots.TRANSFORMS, 'views')
FUNCTIONS = _child(roots.FUNCTIONS, 'datasets')
METRICS = _child(roots.METRICS, 'evaluation')
EVALUATOR = _child(roots.EVALUATOR, 'evaluation')
HOOKS = _child(roots.HOOKS, 'hooks')
RUNNERS = _child(roots.RUNNERS, 'engine')
LOOPS = _child(roots.LOOPS, 'engine')
OPTIMIZERS = _child(roots.OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child(roots.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(roots.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(roots.PARAM_SCHEDULERS, 'engine')
VISBACKENDS = _child(roots.VISBACKENDS, 'engine')
# nothing of ours is in these; a root warns where a scope has no child
for _root in 'MODEL_WRAPPERS WEIGHT_INITIALIZERS VISUALIZERS LOG_PROCESSORS RUNNER_CONSTRUCTORS STRATEGIES'.split():
    _child(getattr(roots, _root), 'engine')
