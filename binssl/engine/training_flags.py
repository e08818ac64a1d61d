"""The flags of ``tools/train.py``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from binssl.engine.downloads import add_download_flag
from binssl.engine.launch import LAUNCHERS


def parse_training(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read them; OpenSelfSup's spellings are taken too."""
    parser = argparse.ArgumentParser(prog='tools/train.py', description='Train what a config describes.')
    parser.add_argument('config', help='path of a config, with or without .py')
    parser.add_argument(
        '--work-dir', '--work_dir', help="where everything is written; default: the config's path under work_dirs/"
    )
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
        '--pretrained', metavar='PATH', help='start with the trunk (backbone and neck) of this weights file'
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision (fp16 on a GPU; bf16: --cfg-options optim_wrapper.precision=bf16)',
    )
    parser.add_argument(
        '--seed', type=seed_argument, help='default: the one in the config, or 0; none: another one in every run'
    )
    parser.add_argument('--deterministic', action='store_true', help='only deterministic kernels')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the rates with the images per step')
    add_download_flag(parser)
    parser.add_argument('--no-validate', action='store_true', help='do not validate while training')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='key=value',
        help='change the config: a.b=1 c="[1, 2]"',
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument('--device', choices=('auto', 'cuda', 'cpu'), default='auto')
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--check', type=int, metavar='N', help='only check the run, for N processes on this machine')
    parser.add_argument(
        '--check-cluster', type=int, metavar='N', help='only check the run, for N processes on other machines'
    )
    return parser.parse_args(arguments)


def seed_argument(text: str) -> int | str:
    """What ``--seed`` takes: a whole number, or ``none`` for another seed in every run."""
    if text.lower() == 'none':
        return 'none'
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is neither a whole number nor none') from None
