"""What building the parts of a run says, tried by one process before the others start."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from binssl.core.command_line import told_as_errors
from binssl.core.console import quiet
from binssl.engine.launch import check_devices
from binssl.engine.loader_limits import loader_problems
from binssl.engine.loops import check_labels, whole_steps
from binssl.engine.run_options import accumulation, batch_per_process
from binssl.engine.starting_weights import start_from
from binssl.registry import ALGORITHMS, DATASETS, FUNCTIONS, HOOKS, OPTIM_WRAPPER_CONSTRUCTORS, ConfigError

LOADERS = ('train_dataloader', 'val_dataloader')


def trial_problems(cfg: Config, here: int, everywhere: int, device: str, goes_on: bool, build_model: bool) -> list[str]:
    """What stands in the way of a run's parts, each as a sentence.

    Args:
        cfg: the run's config.
        here: processes of the run on this machine; 0 where all run on others, of which nothing is known.
        everywhere: processes of the whole run.
        device: 'auto', 'cuda' or 'cpu'.
        goes_on: whether the run has a checkpoint to go on from.
        build_model: whether to build that too, if nothing else is wrong; no use where a file is known to be missing.
    """
    if everywhere < 1:
        return [f'a run has at least 1 process, not {everywhere}']
    problems = [problem for problem in [here and check_devices(here, device)] if problem]
    if not cfg.get('train_dataloader') or not cfg.get('model'):
        return problems
    batch_problems = _batch_problems(cfg, everywhere)
    problems += _data_problems(cfg, here, 0 if batch_problems else everywhere)
    problems += batch_problems
    return problems or (_model_problem(cfg, goes_on) if build_model else [])


def _data_problems(cfg: Config, here: int, everywhere: int) -> list[str]:
    """Builds the data of training and validation, and reads a sample where there are workers.

    Whether they are enough for a step is asked where ``everywhere``, the processes of the whole run, is not 0.
    """
    try:
        with quiet(), told_as_errors('the data cannot be built'):
            return _tried_data(cfg, here, everywhere)
    except ConfigError as error:
        return [str(error)]


def _tried_data(cfg: Config, here: int, everywhere: int) -> list[str]:
    datasets = {name: DATASETS.build(cfg[name].dataset) for name in LOADERS if cfg.get(name)}
    needs_labels = getattr(ALGORITHMS.get(cfg.model.type), 'needs_labels', False)
    if needs_labels:
        check_labels(datasets['train_dataloader'], (cfg.model.get('head') or {}).get('num_classes'))
    if needs_labels and len(datasets) == 2:
        check_same_classes: Any = FUNCTIONS.get('check_same_classes')
        check_same_classes(*datasets.values(), *(f'{name}.dataset' for name in datasets))
    if everywhere:
        whole_steps(cfg, len(datasets['train_dataloader']), everywhere)
    return [
        problem
        for name, dataset in datasets.items()
        if here
        for problem in loader_problems(name, cfg[name], dataset, here)
    ]


def _batch_problems(cfg: Config, world_size: int) -> list[str]:
    """What does not fit into the images of one pass over all processes."""
    try:
        accumulation(cfg, world_size)
    except ConfigError as error:
        return [str(error)]
    batch, queue_length = batch_per_process(cfg, world_size), cfg.model.get('queue_length')
    if queue_length and queue_length % (batch * world_size):
        return [
            f'model.queue_length {queue_length} must be a multiple of the {batch * world_size} images of one pass, '
            f'{batch} x {world_size} process(es); change either in the config'
        ]
    return []


def _model_problem(cfg: Config, goes_on: bool) -> list[str]:
    """Builds the model, with its teacher's file, and the optimiser, loads the start, and tries the schedules."""
    try:
        with quiet(), told_as_errors('the model cannot be built'):
            model = ALGORITHMS.build(cfg.model)
            if cfg.get('load_from') and not goes_on:
                start_from(model, cfg.load_from)
            if cfg.get('schedules'):
                anneal: Any = HOOKS.build(dict(type='AnnealHook', schedules=cfg.schedules.to_dict()))
                anneal.check(model, cfg.train_cfg.max_epochs)
            if any(parameter.requires_grad for parameter in model.parameters()):
                _build_optimiser(model, cfg.optim_wrapper.to_dict())
    except ConfigError as error:
        return [str(error)]
    return []


def _build_optimiser(model: Any, settings: dict[str, Any]) -> None:
    kind, paramwise = settings.pop('constructor', 'DefaultOptimWrapperConstructor'), settings.pop('paramwise_cfg', None)
    OPTIM_WRAPPER_CONSTRUCTORS.build(dict(type=kind, optim_wrapper_cfg=settings, paramwise_cfg=paramwise))(model)
