"""A training run from its command line: flags into the config, everything checked, then the Runner."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from binssl.checkpoints import LEFT_OUT, differing_network, read_trained
from binssl.core.files import file_sha256
from binssl.core.locks import only_training
from binssl.core.node import read_number
from binssl.datasets.download import add_download_flag, download_data
from binssl.engine.config import load_config, parse_options
from binssl.engine.launch import add_launch_flags, processes
from binssl.engine.preflight import problems_of, refuse, trial_problems
from binssl.engine.preflight_data import settle_classes
from binssl.engine.runner import Runner
from binssl.engine.weights import trunk_parts
from binssl.registry import ALGORITHMS, ConfigError


def parse_training(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read them; OpenSelfSup's spellings are taken too."""
    parser = argparse.ArgumentParser(prog='tools/train.py', description='Train what a config describes.')
    parser.add_argument('config', help='path of a config, with or without .py')
    parser.add_argument('--work-dir', '--work_dir', help="default: the config's path under work_dirs/")
    parser.add_argument(
        '--resume',
        '--resume_from',
        '--resume-from',
        nargs='?',
        const='auto',
        metavar='auto|PATH',
        help='go on from the newest checkpoint of the work folder, or from PATH',
    )
    parser.add_argument(
        '--pretrained',
        metavar='PATH',
        help='start with backbone and neck of this file, with all of it where it has heads and the config a load_from',
    )
    parser.add_argument('--amp', action='store_true', help='fp16 (slow on a CPU), or optim_wrapper.precision')
    parser.add_argument('--seed', type=seed_argument, help="default: the config's, or 0; none: another in every run")
    parser.add_argument('--deterministic', action='store_true', help='only deterministic kernels')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the rates with the images per step')
    add_download_flag(parser)
    parser.add_argument('--no-validate', action='store_true', help='do not validate while training')
    parser.add_argument(
        '--cfg-options', nargs='+', action='extend', default=[], metavar='key=value', help='a.b=1 c="[1, 2]"'
    )
    add_launch_flags(parser, ' the run')
    parser.add_argument('--check-cluster', type=int, metavar='N', help='as --check, with all N on other machines')
    return parser.parse_args(arguments)


def seed_argument(text: str) -> int | str:
    """What ``--seed`` takes: a whole number, or ``none`` for another seed in every run."""
    if text.lower() == 'none':
        return 'none'
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is neither a whole number nor none') from None


def train(args: argparse.Namespace) -> None:
    """Check everything, then train; a ConfigError says all that is wrong with the run."""
    cfg = training_config(args)
    problems = problems_of(cfg)
    only_checked = args.check is not None or args.check_cluster is not None
    if args.download and not problems and (only_checked or args.launcher == 'none'):
        download_data(cfg)  # by one process; those that a launcher starts come after its check
    if not problems:
        settle_classes(cfg)
    if only_checked:
        everywhere = args.check * _nodes() if args.check_cluster is None else args.check_cluster
        problems += trial_problems(cfg, args.check or 0, everywhere, args.device, build_model=not problems)
    refuse('this run cannot start', problems)
    if not only_checked:
        with processes(args.launcher, args.device), only_training(Path(cfg.work_dir)):
            _train(cfg)


def _train(cfg: Config) -> None:
    # the runner lives in this frame only: it has to go before the process group does
    runner = Runner.from_cfg(cfg)
    runner.train_loop  # noqa: B018  # mmengine builds it when asked: data, loader and loop
    runner.train()


def _nodes() -> int:
    try:
        return read_number('NNODES', 1, default=1)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def training_config(args: argparse.Namespace) -> Config:
    """The config with the command line's flags merged in."""
    cfg = load_config(args.config, parse_options(args.cfg_options))
    flags: dict[str, Any] = {'work_dir': args.work_dir or cfg.get('work_dir') or str(default_work_dir(args.config))}
    if args.pretrained and _goes_on_with(cfg, args.pretrained):
        flags['load_from'] = args.pretrained
    elif args.pretrained:
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
        for hook in cfg.default_hooks.values():
            (hook or {}).pop('save_best', None)  # there is no best without validation
    return cfg


def default_work_dir(config: str) -> Path:
    """``configs/selfsup/burn/stage1.py`` -> ``work_dirs/selfsup/burn/stage1``."""
    parts = Path(config.removesuffix('.py')).parts
    inside = parts[len(parts) - parts[::-1].index('configs') :] if 'configs' in parts else parts[-1:]
    return Path('work_dirs', *inside)


def weights_name(path: str) -> str:
    """A folder name for what a weights file gives: its folder's name, its own, eight digits of its SHA-256."""
    file = Path(path)
    digest = f'_{file_sha256(path)[:8]}' if file.is_file() else ''
    return f'{file.resolve().parent.name}_{file.stem}{digest}'


def _goes_on_with(cfg: Config, path: str) -> bool:
    """Whether a config goes on from another run (``load_from``), and the file has heads for it: BURN's second stage."""
    return bool(cfg.get('load_from')) and os.path.isfile(path) and 'head' in read_trained(path).model


def _take_trunk(cfg: Config) -> None:
    """Let the file that ``pretrained`` names say which trunk it holds, where the config leaves that open."""
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
        rows = differing_network(recorded.get(part) or LEFT_OUT.get(part, {}), cfg.model[part], part)
        if rows:
            raise ConfigError(f'{path} holds another network than the config: ' + '; '.join(rows))
