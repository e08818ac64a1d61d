"""Pre-flight checks of a config's sections and parts: their keys, types and least values; nothing is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from torch.nn.parallel import DistributedDataParallel

from binssl.datasets.download import LOADERS
from binssl.engine.config import listed
from binssl.engine.loops import EpochLoop
from binssl.engine.optimiser import DEFAULT_WRAPPER, OptimWrapper
from binssl.hooks import WeightAverageHook
from binssl.hooks.anneal import moves_rate
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
    check_call,
    check_values,
)

_LEAST_OF_LOADER = dict(batch_size=1, num_workers=0, prefetch_factor=1, timeout=0)
_LOADER: dict[str, Any] = dict(
    **dict.fromkeys(('dataset', 'sampler'), dict),
    **dict.fromkeys(('batch_size', 'num_workers'), int),
    **dict.fromkeys(('drop_last', 'pin_memory', 'persistent_workers'), bool),
    collate_fn=Any,
    multiprocessing_context=str | None,
    prefetch_factor=int | None,
    timeout=float,
)
#: types of the keys of the sections that are no registered parts
SECTIONS: dict[str, dict[str, Any]] = {
    'randomness': dict(seed=int | None, deterministic=bool),
    'auto_scale_lr': dict(enable=bool, base_batch_size=int | None),
    'env_cfg': dict(cudnn_benchmark=bool, mp_cfg=dict, dist_cfg=dict, resource_limit=int),
    'env_cfg.mp_cfg': dict(mp_start_method=Literal['fork', 'forkserver', 'spawn'], opencv_num_threads=int),
    'env_cfg.dist_cfg': dict(backend=str),
    'visualizer': dict(type=str, name=str, vis_backends=list[dict] | None, save_dir=str | None),
    **dict.fromkeys(LOADERS, _LOADER),
}
#: sections that are arguments of a function of torch, with those that it is given later
CALLS: dict[str, tuple[Any, tuple[str, ...]]] = {
    'compile': (torch.compile, ('model',)),
    'model_wrapper_cfg': (DistributedDataParallel, ('module', 'device_ids')),
}
#: the least value of a number
LEAST = {
    'randomness.seed': 0,
    'env_cfg.resource_limit': 1,
    'env_cfg.mp_cfg.opencv_num_threads': 0,
    **{f'{loader}.{key}': least for loader in LOADERS for key, least in _LEAST_OF_LOADER.items()},
    **dict.fromkeys(('auto_scale_lr.base_batch_size', 'global_batch_size', 'optim_wrapper.accumulative_counts'), 1),
    **dict.fromkeys(('train_cfg.max_epochs', 'train_cfg.val_begin', 'train_cfg.val_interval'), 1),
}


def check_parts(cfg: Config) -> list[str]:
    """What is wrong with the types and keys of the config's parts, each as a sentence; nothing is built."""
    problems = list(_section_problems(cfg))
    return problems or [problem for registry, *part in _parts(cfg) for problem in said_by(registry.check, *part)]


def said_by(check: Callable[..., list[str] | None], *arguments: Any) -> list[str]:
    """The problems that a check returns, or the one that it raises."""
    try:
        return check(*arguments) or []
    except ConfigError as error:
        return [str(error)]


def _section_problems(cfg: Config) -> Iterator[str]:
    for name, hints in SECTIONS.items():
        if (section := _at(cfg, name)) is not None:
            yield from said_by(check_values, name, section, hints)
    for name, (call, later) in CALLS.items():
        if isinstance(section := cfg.get(name), Mapping):
            yield from said_by(check_call, name, call, section, later)
    for name, least in LEAST.items():
        value = _at(cfg, name)
        if isinstance(value, (int, float)) and value < least:
            yield f'{name} is {value!r}; it must be at least {least}'
    for name in LOADERS:
        if isinstance(cfg.get(name), Mapping):
            yield from _loader_problems(name, cfg[name])
    validation = ('val_dataloader', 'val_cfg', 'val_evaluator')
    there = [key for key in validation if cfg.get(key) is not None]
    if cfg.get('train_cfg') and there and len(there) < len(validation):
        lacking = ', '.join(key for key in validation if key not in there)
        yield f'{", ".join(there)} without {lacking}: set all three, or None for no validation'


def _at(cfg: Config, dotted: str) -> Any:
    """What the config has under a dotted name, None where it has nothing."""
    node: Any = cfg
    for key in dotted.split('.'):
        node = node.get(key) if isinstance(node, (Config, Mapping)) else None
    return node


def _loader_problems(name: str, loader: Mapping[str, Any]) -> Iterator[str]:
    missing = [key for key in ('dataset', 'batch_size', 'sampler') if key not in loader]
    if missing:
        yield f'{name} needs {", ".join(missing)}'
    if loader.get('drop_last') and name != 'train_dataloader':
        yield f'{name}.drop_last leaves images out of the score: remove it'
    collate = loader.get('collate_fn')
    kind = collate.get('type') if isinstance(collate, Mapping) else None
    if collate is not None and (kind is None or FUNCTIONS.get(kind) is None):
        yield f'{name}.collate_fn: nothing is called {kind or collate!r}; default_collate and whole_batch are'


def _parts(cfg: Config) -> Iterator[tuple[Registry, Any, tuple[str, ...]]]:
    """Every part of the config, with its registry and the arguments that it is given later."""
    if cfg.get('model'):
        yield ALGORITHMS, cfg.model, ()
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if loader:
            yield DATASETS, loader.dataset, ()
            yield DATA_SAMPLERS, loader.sampler, ('dataset', 'seed')
        for metric in listed(cfg.get(f'{split}_evaluator')):
            yield METRICS, metric, ()
    for split, loop in (('val', 'ValLoop'), ('test', 'TestLoop')):
        if cfg.get(f'{split}_cfg') is not None:
            yield LOOPS, {'type': loop, **cfg[f'{split}_cfg']}, ('runner', 'dataloader', 'evaluator')
    if cfg.get('train_cfg'):
        yield LOOPS, cfg.train_cfg, ('runner', 'dataloader')
    if cfg.get('optim_wrapper'):
        wrapper = {k: v for k, v in cfg.optim_wrapper.items() if k not in ('constructor', 'paramwise_cfg')}
        yield OPTIM_WRAPPERS, {'type': DEFAULT_WRAPPER, **wrapper}, ()
        yield OPTIMIZERS, wrapper.get('optimizer'), ('params',)
    for scheduler in listed(cfg.get('param_scheduler')):
        yield PARAM_SCHEDULERS, scheduler, ('optimizer',)
    for hook in hooks_of(cfg):
        if isinstance(hook, Mapping):
            hook = {key: value for key, value in hook.items() if key != 'priority'}
        yield HOOKS, hook, ()
    for backend in (cfg.get('visualizer') or {}).get('vis_backends') or []:
        yield VISBACKENDS, backend, ('save_dir',)


def hooks_of(cfg: Config) -> list[Any]:
    """The configs of the default hooks, but for those that are removed, and of the run's own."""
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    return [hook for hook in hooks if hook is not None]


def kind_problems(cfg: Config) -> Iterator[str]:
    """mmengine's own loops and wrappers are registered too, and have none of what a run here relies on."""
    kind, sampler = cfg.optim_wrapper.get('type', DEFAULT_WRAPPER), cfg.train_dataloader.sampler.type
    if not issubclass(LOOPS.get(cfg.train_cfg.type), EpochLoop):
        yield f"train_cfg.type is {cfg.train_cfg.type!r}; it must be 'EpochLoop' or made from it"
    if not issubclass(OPTIM_WRAPPERS.get(kind), OptimWrapper):
        yield f"optim_wrapper.type is {kind!r}; it must be 'OptimWrapper', with precision='fp16' or 'bf16' if mixed"
    if not hasattr(DATA_SAMPLERS.get(sampler), 'start_at'):
        yield f"train_dataloader.sampler is a {sampler}, which cannot resume within an epoch; use type='EpochSampler'"
    rates = [PARAM_SCHEDULERS.get(scheduler['type']) for scheduler in listed(cfg.get('param_scheduler'))]
    scheduled = [name for name, schedule in (cfg.get('schedules') or {}).items() if moves_rate(schedule)]
    if scheduled and any(issubclass(kind, LRSchedulerMixin) for kind in rates):
        ours = f'schedules.{scheduled[0]} and param_scheduler both set the learning rate'
        yield f'{ours}: leave param_scheduler out, or give schedules=dict({scheduled[0]}=None)'
    for name, key in (('anneal', 'schedules'), ('param_scheduler', 'param_scheduler')):
        if (cfg.get('default_hooks') or {}).get(name, name) is None and cfg.get(key):
            yield f'default_hooks.{name}=None removes what {key} needs: leave either out'
    yield from _hook_problems([HOOKS.get(hook['type']) for hook in hooks_of(cfg)])


def _hook_problems(kinds: list[Any]) -> Iterator[str]:
    """Hooks of ours act once, and so do averages of the weights, whoever's they are."""
    own = [kind for kind in kinds if kind.__module__.startswith('binssl.')]
    for kind in sorted({*own, EMAHook}, key=lambda kind: kind.__name__):
        same = [other for other in kinds if issubclass(other, (kind, WeightAverageHook) if kind is EMAHook else kind)]
        if len(same) > 1:
            named = ' and '.join(other.__name__ for other in same)
            yield f'default_hooks and custom_hooks have {named}, which do the same work twice: leave one out'
            return
