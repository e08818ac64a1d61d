"""A training run from its command line: flags into the config, everything checked, then the Runner."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

from binssl.checkpoints import differing_network, read_trained
from binssl.core.command_line import told_as_errors
from binssl.core.files import file_sha256
from binssl.core.locks import only_training
from binssl.engine.class_count import settle_classes
from binssl.engine.config import load_config, parse_options
from binssl.engine.downloads import download_data
from binssl.engine.launch import processes
from binssl.engine.loops import EpochLoop
from binssl.engine.optimiser import OptimWrapper
from binssl.engine.preflight import check_parts
from binssl.engine.preflight_build import trial_problems
from binssl.engine.runner import Runner
from binssl.engine.starting_weights import trunk_parts
from binssl.engine.training_state import latest_checkpoint
from binssl.registry import ALGORITHMS, HOOKS, LOOPS, OPTIM_WRAPPERS, ConfigError


def train(args: argparse.Namespace) -> None:
    """Check everything, then train.

    Raises:
        ConfigError: everything that is wrong with the run, in one message.
    """
    cfg = training_config(args)
    problems = problems_of(cfg, args)
    only_checked = args.check is not None or args.check_cluster is not None
    if args.download and not problems and (only_checked or args.launcher == 'none'):
        download_data(cfg)  # by one process; those that a launcher starts come after its check
    if not problems:
        settle_classes(cfg)
    if only_checked:
        here, everywhere = args.check or 0, args.check_cluster or args.check * int(os.environ.get('NNODES', 1))
        problems += trial_problems(cfg, here, everywhere, args.device, _goes_on(cfg), build_model=not problems)
    if problems:
        raise ConfigError('\n  - '.join(['this run cannot start:', *problems]) if len(problems) > 1 else problems[0])
    if not only_checked:
        with processes(args.launcher, args.device), only_training(Path(cfg.work_dir)):
            _train(cfg)


def _train(cfg: Config) -> None:
    # the runner lives in this frame only: it has to go before the process group does
    with told_as_errors('the run cannot be built'):
        runner = Runner.from_cfg(cfg)
        runner.train_loop  # noqa: B018  # mmengine builds it when asked: data, loader and loop
    runner.train()


def training_config(args: argparse.Namespace) -> Config:
    """The config with the command line's flags merged in."""
    cfg = load_config(args.config, parse_options(args.cfg_options))
    flags: dict[str, Any] = {'work_dir': args.work_dir or cfg.get('work_dir') or str(default_work_dir(args.config))}
    if args.pretrained:
        flags['pretrained'] = args.pretrained
        flags['work_dir'] = args.work_dir or str(Path(flags['work_dir']) / weights_name(args.pretrained))
    if args.resume:
        flags['resume'] = args.resume
    if args.amp and not (cfg.get('optim_wrapper') or {}).get('precision'):
        flags['optim_wrapper.precision'] = 'fp16'
    if args.seed is not None:
        flags['randomness.seed'] = None if args.seed == 'none' else args.seed
    if args.deterministic:
        flags['randomness.deterministic'] = True
    if args.auto_scale_lr:
        flags['auto_scale_lr.enable'] = True
    if args.device != 'auto':
        flags['device'] = args.device
    cfg.merge_from_dict(flags)
    if cfg.get('resume') is True:
        cfg.resume = 'auto'
    _take_trunk(cfg)
    if args.no_validate:
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    return cfg


def default_work_dir(config: str) -> Path:
    """``configs/selfsup/burn/stage1.py`` -> ``work_dirs/selfsup/burn/stage1``."""
    path = Path(config).with_suffix('') if config.endswith('.py') else Path(config)
    parts = path.parts
    inside = parts[len(parts) - 1 - parts[::-1].index('configs') + 1 :] if 'configs' in parts else parts[-1:]
    return Path('work_dirs', *inside)


def weights_name(path: str) -> str:
    """A folder name for what a weights file gives: its folder's name, its own, eight digits of its SHA-256."""
    file = Path(path)
    digest = f'_{file_sha256(path)[:8]}' if file.is_file() else ''
    return f'{file.resolve().parent.name}_{file.stem}{digest}'


def _take_trunk(cfg: Config) -> None:
    """Let the file that ``pretrained`` names say which trunk it holds, where the config leaves that open.

    Raises:
        ConfigError: the config names another trunk, or the file holds none.
    """
    path = cfg.get('pretrained')
    if not path or not os.path.isfile(path) or not cfg.get('model'):
        return
    recorded = read_trained(path).model
    if not isinstance(recorded.get('backbone'), dict):
        raise ConfigError(f'{path} has no trunk to start from: it holds a {recorded.get("type")!r} without a backbone')
    for part in (*trunk_parts(ALGORITHMS.get(cfg.model.get('type') or 'Encoder')), 'data_preprocessor'):
        if cfg.model.get(part) is None:
            cfg.model[part] = recorded.get(part)
            continue
        rows = differing_network(recorded.get(part) or {}, cfg.model[part], part)
        if rows:
            raise ConfigError(f'{path} holds another network than the config: ' + '; '.join(rows))


def problems_of(cfg: Config, args: argparse.Namespace) -> list[str]:
    """What stands in the way of this run, each as a sentence."""
    needed = [key for key in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper') if not cfg.get(key)]
    if needed:
        return [f'{args.config} describes no training: it has no {", ".join(needed)}']
    if isinstance(cfg.model, dict) and cfg.model.get('backbone') is None:
        if not cfg.get('pretrained'):
            return [f'{args.config} leaves the trunk to a weights file: name it with --pretrained WEIGHTS']
        if not os.path.isfile(cfg.pretrained):
            return [f'pretrained is missing: {cfg.pretrained}']
    problems = check_parts(cfg) or _kind_problems(cfg)
    if not isinstance(cfg.model, dict):
        return problems
    goes_on = _goes_on(cfg)
    problems += [f'{name} is missing: {path}{hint}' for name, path, hint in _missing_files(cfg, goes_on)]
    if goes_on and not cfg.get('resume'):
        problems.append(
            f'{cfg.work_dir} already holds a run: go on with --resume auto, or name another folder with --work-dir'
        )
    if cfg.get('load_from') and cfg.get('pretrained'):
        problems.append(
            f'load_from ({cfg.load_from}) and pretrained ({cfg.pretrained}) both say what to start with: leave one out '
            '(--cfg-options load_from=none)'
        )
    if cfg.get('schedules') and not problems:
        problems += _schedule_problems(cfg)
    backends = (cfg.get('visualizer') or {}).get('vis_backends') or []
    if any(b.get('type') == 'TensorboardVisBackend' for b in backends) and find_spec('tensorboard') is None:
        problems.append('TensorBoard is not installed: pip install "binssl[tensorboard]"')
    return problems


def _schedule_problems(cfg: Config) -> list[str]:
    try:
        HOOKS.build(dict(type='AnnealHook', schedules=cfg.schedules.to_dict()))
    except ConfigError as error:
        return [str(error)]
    return []


def _kind_problems(cfg: Config) -> list[str]:
    """mmengine's own loops and wrappers have the names' place, and none of what a run here relies on."""
    problems = []
    if not issubclass(LOOPS.get(cfg.train_cfg.type), EpochLoop):
        problems.append(f"train_cfg.type is {cfg.train_cfg.type!r}; it must be 'EpochLoop' or made from it")
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if not issubclass(OPTIM_WRAPPERS.get(kind), OptimWrapper):
        problems.append(
            f"optim_wrapper.type is {kind!r}; it must be 'OptimWrapper', which has precision='fp16' and 'bf16' "
            'for mixed precision'
        )
    return problems


def _goes_on(cfg: Config) -> bool:
    """Whether the run has a checkpoint to go on from, and so needs no weights to start with."""
    return cfg.get('resume') not in (None, False, 'auto') or latest_checkpoint(cfg.work_dir) is not None


def _missing_files(cfg: Config, resumed: bool) -> list[tuple[str, str, str]]:
    """Input files that are not there; ``how_to_get`` of the config says how to make them."""
    hints = cfg.get('how_to_get') or {}
    inputs = dict(teacher=(cfg.model.get('teacher') or {}).get('checkpoint'))
    if not resumed:
        inputs.update(load_from=cfg.get('load_from'), pretrained=cfg.get('pretrained'))
    if cfg.get('resume') and cfg.resume != 'auto':
        inputs['resume'] = cfg.resume
    missing = [(name, path) for name, path in inputs.items() if path and not os.path.isfile(path)]
    return [(name, path, f'\n    {hints[name]}' if name in hints else '') for name, path in missing]
