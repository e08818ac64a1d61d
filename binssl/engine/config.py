"""Reading a config: the file, the options of the command line, and what is checked before any work."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import traceback
import warnings
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine.config import Config

from binssl.registry import ConfigError, nearest_names

#: every top-level key that something reads; helper variables of a config start with `_` or are UPPER_CASE
KNOWN_KEYS = frozenset(
    'model work_dir train_dataloader val_dataloader test_dataloader train_cfg val_cfg test_cfg val_evaluator '
    'test_evaluator optim_wrapper param_scheduler auto_scale_lr default_hooks custom_hooks custom_imports load_from '
    'resume launcher env_cfg log_level visualizer default_scope randomness experiment_name compile device '
    'model_wrapper_cfg schedules global_batch_size sync_bn pretrained how_to_get'.split()
)

#: what a top-level key may be, beside None
KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(('model', 'train_cfg', 'optim_wrapper', 'default_hooks', 'schedules', 'custom_imports'), (dict,)),
    **dict.fromkeys(('load_from', 'pretrained'), (str,)),
    'custom_hooks': (list, tuple),
    'compile': (bool, dict),
}

#: hooks of every run; a config changes one by its name, or removes it with None
DEFAULT_HOOKS: dict[str, dict] = dict(
    seeds=dict(type='CounterSeedHook'),
    gradients=dict(type='GradientAuditHook'),
    not_a_number=dict(type='NotANumberHook'),
    progress=dict(type='ProgressHook'),
    information=dict(type='InformationHook'),
    weight_signs=dict(type='WeightSignHook'),
    activation_signs=dict(type='ActivationSignHook'),
    feature_spread=dict(type='FeatureSpreadHook'),
    distributions=dict(type='DistributionHook'),
    checkpoint=dict(type='CheckpointHook'),
)
#: these, and those that a run adds where it needs them
REMOVABLE_HOOKS = (*DEFAULT_HOOKS, 'momentum', 'frozen', 'anneal', 'param_scheduler')

#: what makes two runs the same experiment; logging, workers and the like may differ on resume
EXPERIMENT_KEYS = (
    'model train_dataloader optim_wrapper schedules train_cfg global_batch_size sync_bn randomness param_scheduler '
    'custom_hooks'.split()
)
RUNTIME_KEYS = 'num_workers persistent_workers pin_memory prefetch_factor checkpoint'.split()


def load_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """The config at ``path`` (with or without ``.py``), with ``options`` ({'a.b': value}) merged in."""
    file = _config_file(Path(path))
    try:
        cfg = Config.fromfile(str(file), import_custom_modules=False)
    except Exception as error:
        empty = re.search(r'`(\w+)` cannot be found in `os\.environ`', str(error))
        if empty and empty[1] in os.environ:
            empty_one = f'the environment variable {empty[1]}, which config {file} reads, is set but empty'
            raise ConfigError(f'{empty_one}: give it a value, or unset it for the default (unset {empty[1]})') from None
        # a config is Python: anything may come out of it, and what the person needs is which file and what
        where = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = f' (line {where[-1].lineno}: {where[-1].line})' if where else ''
        raise ConfigError(f'config {file} cannot be read: {type(error).__name__}: {error}{line}') from error
    _check_top_level(cfg)
    cfg.default_hooks = {**DEFAULT_HOOKS, **(cfg.get('default_hooks') or {})}
    for key in ('randomness', 'auto_scale_lr', 'env_cfg'):
        cfg.setdefault(key, {})
    options = dict(options or {})
    for key in options:
        _check_option(cfg, key)
    try:
        cfg.merge_from_dict(options)
    except (KeyError, TypeError) as error:  # a dict over a number, an index beyond a list
        raise ConfigError(f'--cfg-options {options}: {error}') from error
    _check_top_level(cfg)
    _import_custom_modules(cfg.get('custom_imports') or {}, file)
    return cfg


def _import_custom_modules(wanted: Mapping[str, Any], file: Path) -> None:
    """Import what ``custom_imports`` names, so that its parts are registered; errors inside keep their traceback."""
    for name in listed(wanted.get('imports')):
        try:
            import_module(name)
        except ImportError as error:
            if wanted.get('allow_failed_imports'):
                warnings.warn(f'{name} of custom_imports cannot be imported and is left out: {error}', stacklevel=2)
            elif isinstance(error, ModuleNotFoundError) and f'{name}.'.startswith(f'{error.name}.'):
                remedy = 'PYTHONPATH must include the folder that it is in'
                raise ConfigError(f'config {file}: custom_imports: there is no module {name!r}; {remedy}') from None
            else:
                raise


def _config_file(path: Path) -> Path:
    for candidate in (path, path.with_name(path.name + '.py')):
        if candidate.is_file():
            return candidate
    if not path.parent.is_dir():
        raise ConfigError(f'no config {path}: the folder {path.parent} does not exist')
    known = [file.stem for file in path.parent.glob('*.py')]
    raise ConfigError(f'no config {path}; in {path.parent}: {nearest_names(path.stem, known)}')


def _check_top_level(cfg: Config) -> None:
    if cfg.get('steps') and not cfg.get('model'):
        raise ConfigError(f'{cfg.filename} is a recipe: run it with python tools/run_recipe.py, or one of its steps')
    for key in cfg:
        if key not in KNOWN_KEYS and not key.startswith('_') and not key.isupper():
            rule = 'a helper variable starts with an underscore or is written in UPPER_CASE'
            raise ConfigError(f'nothing reads the config key {key!r} ({nearest_names(key, KNOWN_KEYS)}); {rule}')
        kinds = KINDS.get(key)
        if kinds and cfg[key] is not None and not isinstance(cfg[key], kinds):
            raise ConfigError(f'{key} must be a {" or ".join(kind.__name__ for kind in kinds)}, not {cfg[key]!r}')
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if hook is None and name not in REMOVABLE_HOOKS:
            raise ConfigError(f'default_hooks.{name}=None removes no hook; {nearest_names(name, REMOVABLE_HOOKS)}')


def _check_option(cfg: Config, dotted: str) -> None:
    """An option may set a key that is there, or add one to a part that is there (checked when built)."""
    first, *rest = dotted.split('.')
    if first not in KNOWN_KEYS:
        raise ConfigError(f'--cfg-options {dotted}: nothing reads {first!r}; {nearest_names(first, KNOWN_KEYS)}')
    node: Any = cfg
    for depth, key in enumerate([first, *rest][:-1]):
        if isinstance(node, (list, tuple)) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif (isinstance(node, Mapping) and key in node) or (isinstance(node, Config) and key in node):
            node = node[key]
        else:
            known = [str(k) for k in node] if isinstance(node, (Mapping, Config)) else []
            where = '.'.join([first, *rest][: depth + 1])
            raise ConfigError(f'--cfg-options {dotted}: the config has no {where!r}; {nearest_names(key, known)}')


def parse_options(arguments: Sequence[str]) -> dict[str, Any]:
    """``['a.b=[1, 2]', 'c=dict(type="X")']`` as ``{'a.b': [1, 2], 'c': {'type': 'X'}}``.

    A value is a Python literal, ``dict(...)`` of literals, a comma-separated list, or else a string.
    """
    options = {}
    for argument in arguments:
        key, equals, text = argument.partition('=')
        if not equals or not key:
            raise ConfigError(f'--cfg-options takes key=value, not {argument!r}')
        options[key] = _parse_value(text)
    return options


def _parse_value(text: str) -> Any:
    spelled = {'true': True, 'false': False, 'none': None, 'null': None}
    if text.lower() in spelled:
        return spelled[text.lower()]
    try:
        return _literal(ast.parse(text.strip(), mode='eval').body)
    except (SyntaxError, ValueError):
        if text[:1] in '([{' or text.startswith('dict('):
            raise ConfigError(f'--cfg-options: {text!r} is no list or dict: is a bracket or quote open?') from None
        if ',' in text and not set(text) & set('()[]{}/'):  # a path may have a comma
            return [_parse_value(item) for item in text.split(',')]
        return text


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return {str(word.arg): _literal(word.value) for word in node.keywords}
    if isinstance(node, ast.Dict):
        return {_literal(k): _literal(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(item) for item in node.elts]
    return ast.literal_eval(node)


def plain(value: Any, leave_out: Collection[str] = ()) -> Any:
    """``value`` as data that JSON can hold (dicts, lists, numbers, strings, None), without the keys ``leave_out``."""
    if isinstance(value, Mapping):
        return {str(key): plain(item, leave_out) for key, item in value.items() if key not in leave_out}
    if isinstance(value, (list, tuple)):
        return [plain(item, leave_out) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigError(f'a config holds plain data (numbers, strings, lists, dicts), not {value!r}')


def known_part(cfg: Config) -> dict[str, Any]:
    """All of ``cfg`` that something reads, as plain data; helper variables are left out."""
    return {key: plain(value) for key, value in cfg.to_dict().items() if key in KNOWN_KEYS}


def experiment(cfg: Config | Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``cfg`` that decides what is trained, as plain data (see ``EXPERIMENT_KEYS``)."""
    parts = {key: plain(cfg[key], RUNTIME_KEYS) for key in EXPERIMENT_KEYS if cfg.get(key) is not None}
    # with a global_batch_size the number of processes decides how many batches make a step
    if parts.get('global_batch_size') and isinstance(parts.get('optim_wrapper'), dict):
        parts['optim_wrapper'].pop('accumulative_counts', None)
    return parts


def config_hash(data: Any) -> str:
    """SHA-256 of plain data in its canonical JSON form."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def differing_keys(ours: Any, theirs: Any, where: str = '') -> list[str]:
    """Dotted names of what differs between two pieces of plain data, with both values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        both = [(f'{where}.{key}'.strip('.'), ours.get(key), theirs.get(key)) for key in sorted({*ours, *theirs})]
        return [row for name, own, other in both for row in differing_keys(own, other, name)]
    return [] if ours == theirs else [f'{where}: {theirs!r} there, {ours!r} here']


def metric_config(cfg: Config, section: str, name: str) -> dict[str, Any] | None:
    """The config of the first metric called ``name`` in ``section``, one metric or a list of them; None without one."""
    return next((dict(metric) for metric in listed(cfg.get(section)) if metric.get('type') == name), None)


def listed(value: Any) -> list[Any]:
    """A list of what a config gives alone or in a list; [] for None."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
