"""Tests of a trained network: the config says on what and how, the checkpoint says which network."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from binssl.checkpoints import differing_network, load_model, load_weights, read_trained
from binssl.checkpoints.weights import inference_config
from binssl.core.files import file_sha256, write_json
from binssl.datasets.download import add_download_flag, download_data
from binssl.engine.config import load_config, parse_options
from binssl.engine.launch import add_launch_flags, check_devices, processes
from binssl.engine.preflight import refuse
from binssl.engine.preflight_parts import check_parts
from binssl.engine.runner import Runner
from binssl.engine.training import default_work_dir, weights_name
from binssl.registry import ConfigError

#: what of a config a test needs; the model comes from the checkpoint
TEST_KEYS = frozenset(
    'model test_dataloader test_cfg test_evaluator work_dir randomness default_scope visualizer env_cfg custom_imports '
    'log_level device'.split()
)


def parse_testing(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/test.py``."""
    return testing_parser('tools/test.py', 'Test a checkpoint or weights file as a config says.').parse_args(arguments)


def testing_parser(command: str, description: str) -> argparse.ArgumentParser:
    """The flags that every command has which tests a network."""
    parser = argparse.ArgumentParser(prog=command, description=description)
    parser.add_argument('files', nargs=2, metavar='CONFIG CHECKPOINT', help='the two files, in either order')
    parser.add_argument('--work-dir', '--work_dir', help='default: under work_dirs/, named after config and weights')
    parser.add_argument('--out', metavar='JSON', help='also write the numbers to this file')
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[], metavar='key=value')
    add_download_flag(parser)
    add_launch_flags(parser, ' the test')
    return parser


def test(args: argparse.Namespace) -> None:
    """Load the network from its own record, run the config's test, print and write the numbers."""
    config, checkpoint = in_order(args.files)
    options = parse_options(args.cfg_options)
    if lost := [key for key in options if key.split('.')[0] == 'model']:
        rule = 'a test takes the network from the checkpoint'
        raise ConfigError(f'--cfg-options {lost[0]} would change nothing: {rule}; leave it out')
    cfg = load_config(config, options)
    lacks = [key for key in ('test_dataloader', 'test_cfg', 'test_evaluator') if cfg.get(key) is None]
    if lacks:
        raise ConfigError(f'{config} describes no test: it has no {", ".join(lacks)}')
    recorded, described = inference_config(read_trained(checkpoint).model), (cfg.get('model') or {}).get('backbone')
    others = differing_network(recorded['backbone'], described, 'backbone') if described else []
    cfg.model = recorded
    cfg = Config({key: value for key, value in cfg.items() if key in TEST_KEYS}, filename=cfg.filename)
    lacking = filter(None, [check_devices(args.check or 1, args.device)])
    refuse('this test cannot start', [*check_parts(cfg), *lacking])
    if args.download and (args.check is not None or args.launcher == 'none'):
        download_data(cfg, ['test_dataloader'])
    cfg.work_dir = args.work_dir or str(default_work_dir(config) / weights_name(checkpoint))
    if args.check is not None:
        return
    cfg.device = args.device
    with processes(args.launcher, args.device):
        _test(cfg, Path(checkpoint), args.out, others)


def _test(cfg: Config, checkpoint: Path, out: str | None, others: list[str]) -> None:
    network = load_model(checkpoint)
    runner = Runner.from_cfg(cfg)
    if others:
        runner.say('tested is the network of %s, not that of the config: %s', checkpoint, '; '.join(others[:3]))
    load_weights(runner.model, network.state_dict())
    runner.test_dataloader.dataset.refuse_bad()
    metrics = runner.test()
    record = dict(metrics=metrics, checkpoint=str(checkpoint), sha256=file_sha256(checkpoint), config=str(cfg.filename))
    for path in [Path(cfg.work_dir) / 'results.json', *([Path(out)] if out else [])]:
        if is_main_process():
            write_json(path, record)


def in_order(files: Sequence[str]) -> tuple[str, str]:
    """(config, checkpoint), whichever came first: a config is Python, or is named without its ending."""
    first, second = files
    return (second, first) if first.endswith(('.pth', '.pt', '.tar')) or second.endswith('.py') else (first, second)
