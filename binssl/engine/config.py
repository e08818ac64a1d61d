"""Reading a config: the file, the options of the command line, and what is checked before any work."""

from __future__ import annotations

import ast
import difflib
import os
import re
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config

from binssl.registry import ConfigError, check_values, nearest_names

#: every top-level key that something reads, and what it may be beside None; helper variables of a config start with
#: `_` or are UPPER_CASE
KNOWN_KEYS: dict[str, Any] = dict(
    **dict.fromkeys(
        'model train_cfg val_cfg test_cfg optim_wrapper default_hooks schedules custom_imports'.split(), dict
    ),
    **dict.fromkeys('train_dataloader val_dataloader test_dataloader visualizer model_wrapper_cfg'.split(), dict),
    **dict.fromkeys('randomness auto_scale_lr env_cfg'.split(), dict),
    **dict.fromkeys('load_from pretrained work_dir experiment_name default_scope'.split(), str),
    **dict.fromkeys('val_evaluator test_evaluator param_scheduler'.split(), dict | list),
    custom_hooks=list,
    compile=bool | dict,
    device=Literal['auto', 'cuda', 'cpu'],
    global_batch_size=int,
    how_to_get=dict[str, str],
    launcher=Literal['none', 'pytorch', 'slurm', 'mpi'],
    log_level=int | Literal['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'],
    resume=bool | str,
    sync_bn=bool | list[str],
)

#: what keys of other frameworks are here; these have whole configs of another form
FOREIGN_KEYS = dict(
    data='train_dataloader (imgs_per_gpu or samples_per_gpu is its batch_size, workers_per_gpu its num_workers)',
    optimizer='optim_wrapper.optimizer',
    optimizer_config='global_batch_size (update_interval), optim_wrapper.clip_grad (grad_clip)',
    lr_config='schedules.lr',
    total_epochs='train_cfg.max_epochs',
    max_epochs='train_cfg.max_epochs',
    runner='train_cfg',
    checkpoint_config='default_hooks.checkpoint',
    log_config='default_hooks.progress and visualizer',
    evaluation='val_cfg and val_evaluator',
    resume_from='resume',
    dist_params='nothing: the device decides',
    workflow='nothing',
    fp16='optim_wrapper.precision',
    update_interval='global_batch_size',
    find_unused_parameters='model_wrapper_cfg',
    dataset_type='train_dataloader.dataset.type',
    data_source_cfg='train_dataloader.dataset',
    data_root='train_dataloader.dataset',
    train_pipeline='train_dataloader.dataset.views',
    test_pipeline='test_dataloader.dataset.views',
    val_pipeline='val_dataloader.dataset.views',
    data_preprocessor='model.data_preprocessor',
    view_pipeline='train_dataloader.dataset.views',
    img_norm_cfg='a Normalize among the views',
    base_batch_size='auto_scale_lr.base_batch_size',
)

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


def load_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """The config at ``path`` (with or without ``.py``), with ``options`` ({'a.b': value}) merged in."""
    file = _config_file(Path(path))
    try:
        sources = list(_sources(file.resolve()))
        # left to itself, mmengine takes every import for its lazy form, the standard library's in a virtual environment
        lazy = any('read_base' in text for _, text, _ in sources)
        cfg = Config.fromfile(str(file), import_custom_modules=False, lazy_import=None if lazy else False)
    except ConfigError:
        raise
    except Exception as error:
        empty = re.search(r'`(\w+)` cannot be found in `os\.environ`', str(error))
        if empty and empty[1] in os.environ:
            empty_one = f'the environment variable {empty[1]}, which config {file} reads, is set but empty'
            raise ConfigError(f'{empty_one}: give it a value, or unset it for the default (unset {empty[1]})') from None
        # a config is Python: anything may come out of it, and what the person needs is which file and what
        where = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = f' (line {where[-1].lineno}: {where[-1].line})' if where else ''
        raise ConfigError(f'config {file} cannot be read: {type(error).__name__}: {error}{line}') from error
    for name in {name for _, _, tree in sources for name in _imported(tree)} - KNOWN_KEYS.keys():
        cfg._cfg_dict.pop(name, None)
    _check_helpers(sources)
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
    check_values('custom_imports', wanted, dict(imports=str | list[str] | None, allow_failed_imports=bool))
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
    stray = [key for key in cfg if key not in KNOWN_KEYS and not key.startswith('_') and not key.isupper()]
    rule = 'a helper variable starts with an underscore or is written in UPPER_CASE'
    named = [f'{key!r} ({_way_from(key)})' for key in stray]
    if len(FOREIGN_KEYS.keys() & stray) > 1:
        title = f'{cfg.filename} is written for another framework (OpenSelfSup, BURN, mmselfsup or mmpretrain)'
        remedy = "start from the nearest config of configs/, whose `model` shows our parts' keys, and give what differs"
        raise ConfigError('\n  '.join([f'{title}; nothing here reads', *named, f'{remedy}; {rule}']))
    if stray:
        raise ConfigError(f'nothing reads the config key {", ".join(named)}; {rule}')
    check_values('', {key: cfg[key] for key in cfg if cfg.get(key) is not None and key in KNOWN_KEYS}, KNOWN_KEYS)
    for name, hook in (cfg.get('default_hooks') or {}).items():
        misspelt = name not in REMOVABLE_HOOKS and difflib.get_close_matches(name, REMOVABLE_HOOKS, n=1, cutoff=0.75)
        if misspelt or (hook is None and name not in REMOVABLE_HOOKS):
            does = 'removes no hook' if hook is None else 'would be another hook'
            raise ConfigError(f'default_hooks.{name}={hook!r} {does}; {nearest_names(name, REMOVABLE_HOOKS)}')


def _way_from(key: str) -> str:
    """A phrase that helps with a key that nothing reads."""
    return f'here: {FOREIGN_KEYS[key]}' if key in FOREIGN_KEYS else nearest_names(key, KNOWN_KEYS)


def _sources(file: Path) -> Iterator[tuple[Path, str, ast.Module]]:
    """A config and all its bases, the child before what it is made from: path, text, syntax tree."""
    text = file.read_text(encoding='utf-8')
    tree = ast.parse(re.sub(r'\{\{.*?\}\}', '0', text)) if file.suffix == '.py' else ast.Module([], [])
    yield file, text, tree
    for node in tree.body:
        if isinstance(node, ast.Assign) and '_base_' in _names(node, ast.Store):
            for base in [word.value for word in ast.walk(node.value) if isinstance(word, ast.Constant)]:
                package, colons, _ = str(base).partition('::')
                if colons:
                    remedy = 'take a base of configs/, or copy what it has'
                    raise ConfigError(f'config {file}: base {base!r} is one of the package {package}; {remedy}')
                if (path := file.parent / str(base)).is_file():
                    yield from _sources(path.resolve())


def _names(tree: ast.AST, context: type[ast.expr_context]) -> set[str]:
    """The variables that are read (Load) or assigned (Store) somewhere in ``tree``."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


def _imported(tree: ast.Module) -> set[str]:
    """What imports and classes of a config bind, which is none of its keys."""
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {(alias.asname or alias.name).partition('.')[0] for node in imports for alias in node.names}
    return names | {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def _check_helpers(sources: Sequence[tuple[Path, str, ast.Module]]) -> None:
    """Warn of a helper variable that a child gives anew and nothing reads: its base has used its own by then."""
    read_below: set[str] = set()
    for place, (file, text, tree) in enumerate(sources):
        unread = _names(tree, ast.Store) - _names(tree, ast.Load) - read_below - KNOWN_KEYS.keys() - {'_base_'}
        for base, _, tree_of_base in sources[place + 1 :]:
            for name in sorted(unread & _names(tree_of_base, ast.Store)):
                warnings.warn(
                    f'config {file}: {name} changes nothing: its base {base} has used its own by then, and nothing '
                    f'reads this one; change the keys that {name} goes into instead',
                    stacklevel=3,
                )
        read_below |= set(re.findall(r'_base_\.(\w+)', text))


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


def metric_config(cfg: Config, section: str, name: str) -> dict[str, Any] | None:
    """The config of the first metric called ``name`` in ``section``, one metric or a list of them; None without one."""
    return next((dict(metric) for metric in listed(cfg.get(section)) if metric.get('type') == name), None)


def listed(value: Any) -> list[Any]:
    """A list of what a config gives alone or in a list; [] for None."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
