"""What is wrong with the parts of a config, found before anything is built."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mmengine.config import Config

from binssl.registry import (
    ALGORITHMS,
    DATA_SAMPLERS,
    DATASETS,
    FUNCTIONS,
    HOOKS,
    LOOPS,
    METRICS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISBACKENDS,
    ConfigError,
    Registry,
    nearest_names,
)

#: keys of the sections that are no registered parts
SECTIONS: dict[str, tuple[str, ...]] = dict(
    randomness=('seed', 'diff_rank_seed', 'deterministic'),
    auto_scale_lr=('enable', 'base_batch_size'),
    env_cfg=('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    visualizer=('type', 'name', 'vis_backends', 'save_dir'),
)
LOADER_KEYS = (
    'dataset',
    'batch_size',
    'sampler',
    'collate_fn',
    'num_workers',
    'drop_last',
    'pin_memory',
    'persistent_workers',
    'prefetch_factor',
    'timeout',
    'multiprocessing_context',
)

Part = tuple[Registry, Any, tuple[str, ...]]


def check_parts(cfg: Config) -> list[str]:
    """What is wrong with the types and keys of the config's parts, each as a sentence; nothing is built."""
    problems = list(_section_problems(cfg))
    if problems:
        return problems
    for registry, part, given_later in _parts(cfg):
        try:
            registry.check(part, given_later)
        except ConfigError as error:
            problems.append(str(error))
    return problems


def _section_problems(cfg: Config) -> Iterator[str]:
    randomness = cfg.get('randomness')
    seed = randomness.get('seed') if isinstance(randomness, Mapping) else None
    if seed is not None and (not isinstance(seed, int) or seed < 0):
        yield f'randomness.seed is {seed!r}; it must be an integer of at least 0'
    for name, keys in SECTIONS.items():
        yield from _stray(name, cfg.get(name), keys)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        yield from _stray(name, loader, LOADER_KEYS)
        if isinstance(loader, Mapping):
            yield from _loader_problems(name, loader)
    validation = ('val_dataloader', 'val_cfg', 'val_evaluator')
    there = [key for key in validation if cfg.get(key) is not None]
    if cfg.get('train_cfg') and there and len(there) < len(validation):
        lacking = ', '.join(key for key in validation if key not in there)
        yield f'{", ".join(there)} without {lacking}: set all three, or None for no validation'
    sync_bn = cfg.get('sync_bn')
    if not (sync_bn in (None, True, False) or isinstance(sync_bn, (list, tuple))):
        yield f'sync_bn is {sync_bn!r}; it must be True, False or a list of name prefixes'
    for name in ('model', 'train_cfg', 'optim_wrapper', 'default_hooks', 'schedules'):
        if cfg.get(name) is not None and not isinstance(cfg[name], Mapping):
            yield f'{name} must be a dict, not {cfg[name]!r}'


def _stray(name: str, section: Any, known: Collection[str]) -> Iterator[str]:
    if section is None:
        return
    if not isinstance(section, Mapping):
        yield f'{name} must be a dict, not {section!r}'
        return
    for key in section:
        if key not in known:
            yield f'{name} does not take {key!r}; {nearest_names(key, known)}'


def _loader_problems(name: str, loader: Mapping[str, Any]) -> Iterator[str]:
    missing = [key for key in ('dataset', 'batch_size', 'sampler') if key not in loader]
    if missing:
        yield f'{name} needs {", ".join(missing)}'
    for key, least in (('batch_size', 1), ('num_workers', 0)):
        value = loader.get(key, least)
        if not isinstance(value, int) or value < least:
            yield f'{name}.{key} is {value!r}; it must be an integer of at least {least}'
    collate = loader.get('collate_fn')
    kind = collate.get('type') if isinstance(collate, Mapping) else None
    if collate is not None and (kind is None or FUNCTIONS.get(kind) is None):
        yield f'{name}.collate_fn: nothing is called {kind or collate!r}; default_collate and whole_batch are'


def _parts(cfg: Config) -> Iterator[Part]:
    if cfg.get('model'):
        yield ALGORITHMS, cfg.model, ()
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if loader:
            yield DATASETS, loader.dataset, ()
            yield DATA_SAMPLERS, loader.sampler, ('dataset', 'seed')
        for metric in _listed(cfg.get(f'{split}_evaluator')):
            yield METRICS, metric, ()
    for split, loop in (('val', 'ValLoop'), ('test', 'TestLoop')):
        if cfg.get(f'{split}_cfg') is not None:
            yield LOOPS, {'type': loop, **cfg[f'{split}_cfg']}, ('runner', 'dataloader', 'evaluator')
    if cfg.get('train_cfg'):
        yield LOOPS, cfg.train_cfg, ('runner', 'dataloader')
    if cfg.get('optim_wrapper'):
        wrapper = {k: v for k, v in cfg.optim_wrapper.items() if k not in ('constructor', 'paramwise_cfg')}
        yield OPTIM_WRAPPERS, {'type': 'OptimWrapper', **wrapper}, ()
        yield OPTIMIZERS, wrapper.get('optimizer'), ('params',)
    for scheduler in _listed(cfg.get('param_scheduler')):
        yield PARAM_SCHEDULERS, scheduler, ('optimizer',)
    for hook in [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]:
        if hook is not None:
            yield HOOKS, _without_priority(hook), ()
    for backend in (cfg.get('visualizer') or {}).get('vis_backends') or []:
        yield VISBACKENDS, backend, ('save_dir',)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _without_priority(hook: Any) -> Any:
    return {k: v for k, v in hook.items() if k != 'priority'} if isinstance(hook, Mapping) else hook
