"""Pre-flight checks of a run: its config, its files, and what building its parts in one process says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

from binssl.core.console import quiet
from binssl.datasets import build_dataset
from binssl.engine.launch import check_devices
from binssl.engine.loops import accumulation, batch_per_process, hook_names, whole_steps
from binssl.engine.optimiser import ParameterGroups
from binssl.engine.preflight_data import check_labels, check_views, loader_problems
from binssl.engine.preflight_parts import check_parts, hooks_of, kind_problems, said_by
from binssl.engine.training_state import latest_checkpoint
from binssl.engine.weights import start_from
from binssl.hooks import AnnealHook
from binssl.registry import ALGORITHMS, HOOKS, OPTIM_WRAPPER_CONSTRUCTORS, ConfigError


def refuse(title: str, problems: list[str]) -> None:
    """Raise a ConfigError where there are ``problems``: the one, or a list of them below ``title``."""
    if problems:
        raise ConfigError('\n  - '.join([f'{title}:', *problems]) if len(problems) > 1 else problems[0])


def problems_of(cfg: Config) -> list[str]:
    """What stands in the way of this run, each as a sentence."""
    needed = [key for key in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper') if not cfg.get(key)]
    if needed:
        return [f'{cfg.filename} describes no training: it has no {", ".join(needed)}']
    if cfg.model.get('backbone') is None:
        if not cfg.get('pretrained'):
            return [f'{cfg.filename} leaves the trunk to a weights file: name it with --pretrained WEIGHTS']
        if not os.path.isfile(cfg.pretrained):
            return [f'pretrained is missing: {cfg.pretrained}']
    problems = check_parts(cfg) or list(kind_problems(cfg))
    there = next(folder for folder in (Path(cfg.work_dir), *Path(cfg.work_dir).absolute().parents) if folder.exists())
    if not there.is_dir():
        return [*problems, f'--work-dir {cfg.work_dir}: {there} is a file; name a folder']
    resumed = goes_on(cfg)
    problems += _missing_files(cfg, resumed)
    if resumed and not cfg.get('resume'):
        problems.append(f'{cfg.work_dir} already holds a run: go on with --resume auto, or name another --work-dir')
    if cfg.get('load_from') and cfg.get('pretrained'):
        both = f'load_from ({cfg.load_from}) and pretrained ({cfg.pretrained})'
        problems.append(f'{both} both say what to start with: leave one out (--cfg-options load_from=none)')
    if cfg.get('schedules') and not problems:
        problems += said_by(_check_schedules, cfg)
    backends = (cfg.get('visualizer') or {}).get('vis_backends') or []
    if (
        not problems
        and any(b.get('type') == 'TensorboardVisBackend' for b in backends)
        and find_spec('tensorboard') is None
    ):
        problems.append('TensorBoard is not installed: pip install "binssl[tensorboard]"')
    return problems


def _check_schedules(cfg: Config, model: Any = None) -> None:
    hook: Any = HOOKS.build(dict(type=AnnealHook, schedules=cfg.schedules.to_dict()))
    if model is not None:
        hook.check(model, cfg.train_cfg.max_epochs)


def goes_on(cfg: Config) -> bool:
    """Whether the run has a checkpoint to go on from, and so needs no weights to start with."""
    return cfg.get('resume') not in (None, False, 'auto') or latest_checkpoint(cfg.work_dir) is not None


def _missing_files(cfg: Config, resumed: bool) -> Iterator[str]:
    """A sentence for each input file that is not there, with what makes it."""
    inputs = dict(teacher=(cfg.model.get('teacher') or {}).get('checkpoint'))
    if not resumed:
        inputs.update(load_from=cfg.get('load_from'), pretrained=cfg.get('pretrained'))
    if cfg.get('resume') and cfg.resume != 'auto':
        inputs['resume'] = cfg.resume
    for name, path in inputs.items():
        if path and not os.path.isfile(path):
            ways = [_way_to_make(name, Path(path)), (cfg.get('how_to_get') or {}).get(name)]
            yield f'{name} is missing: {path}' + ''.join(f'\n    {way}' for way in ways if way)


def _way_to_make(name: str, path: Path) -> str | None:
    """The commands that make ``work_dirs/X/weights.pth``, if ``configs/X.py`` is a config; None for any other path."""
    config = Path('configs', *path.parts[1:-1]).with_suffix('.py')
    if path.parts[:1] != ('work_dirs',) or path.name != 'weights.pth' or not config.is_file():
        return None
    tool = 'extract_weights' if name == 'pretrained' else 'extract_weights_for_multi'  # the trunk alone, or heads too
    return (
        f'make it with: python tools/train.py {config} && python tools/{tool}.py {path.parent}/latest.pth {path}; '
        f'to train in N processes: bash tools/dist_train.sh {config} N'
    )


def trial_problems(cfg: Config, here: int, everywhere: int, device: str, build_model: bool) -> list[str]:
    """What stands in the way of a run's parts once they are built in one process, each as a sentence.

    Args:
        here: processes of the run on this machine; 0 where all run on others, of which nothing is known.
        everywhere: processes of the whole run.
        build_model: whether to build that too, if nothing else is wrong; no use where :func:`problems_of` has answered.
    """
    if everywhere < 1:
        return [f'a run has at least 1 process, not {everywhere}']
    problems = [problem for problem in [here and check_devices(here, device)] if problem]
    if not cfg.get('train_dataloader') or not cfg.get('model') or check_parts(cfg):
        return problems  # malformed values, which :func:`problems_of` has told, are no use to build from
    datasets: dict[str, Any] = {}
    with quiet():
        problems += said_by(_build_data, cfg, datasets)
        problems += said_by(_check_steps, cfg, datasets.get('train_dataloader'), everywhere)
        for name, dataset in datasets.items() if here else ():
            problems += said_by(loader_problems, name, cfg[name], dataset, here)
        if build_model and not problems:
            problems += said_by(_build_model, cfg, datasets['train_dataloader'], everywhere)
    return problems


def _build_data(cfg: Config, datasets: dict[str, Any]) -> None:
    """Build the data of training and validation into ``datasets``, and look at their labels."""
    for name in ('train_dataloader', 'val_dataloader'):
        if cfg.get(name):
            datasets[name] = build_dataset(cfg[name].dataset)
            if len(datasets[name]):
                datasets[name][0]  # views that do not fit the images are told now
    if getattr(ALGORITHMS.get(cfg.model.type), 'needs_labels', False):
        classes = (cfg.model.get('head') or {}).get('num_classes')
        check_labels(datasets['train_dataloader'], classes, datasets.get('val_dataloader'))


def _check_steps(cfg: Config, dataset: Any, processes: int) -> None:
    accumulation(cfg, processes)
    if dataset is not None:
        whole_steps(cfg, len(dataset), processes)


def _build_model(cfg: Config, dataset: Any, processes: int) -> None:
    """Build the model with all that moves it, load the start, and ask whether it fits the run."""
    model = ALGORITHMS.build(cfg.model)
    if cfg.get('load_from') and not goes_on(cfg):
        start_from(model, cfg.load_from)
    if cfg.get('schedules'):
        _check_schedules(cfg, model)
    if any(parameter.requires_grad for parameter in model.parameters()):
        settings = {'constructor': ParameterGroups, **cfg.optim_wrapper.to_dict()}
        groups = dict(type=settings.pop('constructor'), paramwise_cfg=settings.pop('paramwise_cfg', None))
        OPTIM_WRAPPER_CONSTRUCTORS.build(dict(groups, optim_wrapper_cfg=settings))(model)
    check_views(model, dataset)
    model.check_run(
        batch_per_process(cfg, processes), processes, hook_names(HOOKS.get(hook['type']) for hook in hooks_of(cfg))
    )
