"""``tools/test_svm.py``: linear SVMs on the features of chosen layers, one result after the other, each kept."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from binssl.core.command_line import check_at_least_one
from binssl.datasets import build_dataset
from binssl.datasets.download import add_download_flag, download_data
from binssl.engine.config import load_config, metric_config, parse_options
from binssl.engine.launch import add_launch_flags, check_devices, processes
from binssl.engine.preflight import refuse
from binssl.engine.preflight_parts import check_parts
from binssl.engine.training import default_work_dir, weights_name
from binssl.engine.weights import write_initial_weights
from binssl.evaluation import LinearSVM
from binssl.evaluation.linear_svm import ALL, SVMTask
from binssl.evaluation.svm import LabeledFeatures, jobs_that_fit
from binssl.features.folder import ROOT, FeatureFolder, check_layers, extract_features
from binssl.features.layers import POOLS
from binssl.features.svm_results import Results, write_results
from binssl.registry import METRICS, ConfigError

PROTOCOL = 'configs/benchmarks/svm/voc07.py'
RANDOM = 'random'


@dataclass(frozen=True)
class SVMRun:
    """What is measured, on what and how: checked."""

    protocol: Config  # of the data, with the metric
    metric: LinearSVM
    parts: tuple[dict, dict]  # configs of the data to learn from and to score
    weights: Path
    layers: tuple[str, ...]
    work_dir: Path  # of the results


def parse_svm(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/test_svm.py``."""
    parser = argparse.ArgumentParser(prog='tools/test_svm.py', description='Score features by linear SVMs.')
    parser.add_argument('config', help='a config of configs/benchmarks/svm, or one that trains a network: --protocol')
    weights_help = "a weights file or training checkpoint; 'random': the network of a training config as initialised"
    parser.add_argument('weights', nargs='?', help=weights_help)
    parser.add_argument('--epoch', type=int, metavar='N', help="instead of WEIGHTS: epoch_N.pth of the config's run")
    layers_help = 'feat1 to feat5 (the default), neck, or modules: backbone.blocks.5'
    parser.add_argument('--layers', nargs='+', default=['feat5'], metavar='LAYER', help=layers_help)
    parser.add_argument('--protocol', metavar='CONFIG', help=f'for a training config; default: {PROTOCOL}')
    pool_help = 'of maps: to about 9,000 numbers as published, or to 1 x 1'
    parser.add_argument('--pool', choices=POOLS, default='svm', help=pool_help)
    parser.add_argument('--features', type=Path, default=ROOT, metavar='DIR', help=f'kept there; default: {ROOT}')
    parser.add_argument('--jobs', type=int, metavar='N', help='SVMs fitted at a time; default: by cores and memory')
    work_dir_help = "default: the protocol's path under work_dirs/ and the weights' name"
    parser.add_argument('--work-dir', '--work_dir', help=work_dir_help)
    parser.add_argument('--out', metavar='JSON', help='also write the numbers to this file')
    parser.add_argument(
        '--cfg-options', nargs='+', action='extend', default=[], metavar='key=value', help='of the protocol'
    )
    add_download_flag(parser)
    add_launch_flags(parser)
    return parser.parse_args(arguments)


def test_svm(args: argparse.Namespace) -> None:
    """Extract the features by all processes, then fit and score in the first, which writes the table.

    A result that is there for the same features and settings is taken as it is: a run that was interrupted goes on.

    Raises:
        ConfigError: see :func:`plan_svm`.
    """
    run = plan_svm(args)
    if args.check is not None:
        return
    loaders = [{**run.protocol.test_dataloader, 'dataset': part} for part in run.parts]
    with processes(args.launcher, args.device) as device:
        train, test = (
            extract_features(run.weights, loader, run.layers, args.features, pool=args.pool, device=device)
            for loader in loaders
        )
        measures = is_main_process()
    if measures:
        measure(run, train, test, args.jobs, Path(args.out) if args.out else None)


def plan_svm(args: argparse.Namespace) -> SVMRun:
    """What the command line asks for.

    Raises:
        ConfigError: a file that is no network of ours, a layer or config that is not there, labels that do not allow
            the folds or shots, data that are not there: all before anything is extracted.
    """
    check_at_least_one(jobs=args.jobs)
    if problem := check_devices(args.check or 1, args.device):
        raise ConfigError(problem)
    weights = find_weights(args)
    protocol, metric = read_protocol(args.config, args.protocol, parse_options(args.cfg_options))
    layers = tuple(dict.fromkeys(word for words in args.layers for word in words.split()))
    check_layers(weights, layers, args.pool)
    dataset: Any = (protocol.get('test_dataloader') or {}).get('dataset') or {}
    if not all(dataset.get(part) for part in ('bank', 'query')):
        raise ConfigError(
            f'{protocol.filename}: SVMs learn from a bank and score a query: give '
            "test_dataloader.dataset=dict(type='BankAndQuery', bank=..., query=...)"
        )
    parts = dataset.bank.to_dict(), dataset.query.to_dict()
    if args.check is not None or args.launcher == 'none':  # processes of a launcher come after its check
        if args.download:
            download_data(protocol, ['test_dataloader'])
        train, test = (build_dataset(part, seed=0) for part in parts)
        if train.labels is not None and test.labels is not None:
            metric.targets(train.labels, test.labels, train.classes)
    default = default_work_dir(str(protocol.filename)) / weights_name(str(weights))
    return SVMRun(protocol, metric, parts, weights, layers, Path(args.work_dir or default))


def read_protocol(config: str, protocol: str | None, options: dict[str, Any]) -> tuple[Config, LinearSVM]:
    """The config that says which data are scored, and its metric: ``config`` itself, or else ``protocol``.

    Raises:
        ConfigError: neither has a LinearSVM, or something in it is wrong.
    """
    own = metric_config(load_config(config), 'test_evaluator', 'LinearSVM') is not None
    if own and protocol:
        raise ConfigError(f'{config} is a protocol of its own: leave --protocol out')
    cfg = load_config(config if own else protocol or PROTOCOL, options)
    found = metric_config(cfg, 'test_evaluator', 'LinearSVM')
    if found is None:
        raise ConfigError(
            f"{cfg.filename} has no test_evaluator=[dict(type='LinearSVM')]; take one of configs/benchmarks/svm"
        )
    read = {key: cfg[key] for key in ('test_dataloader', 'test_evaluator') if cfg.get(key)}
    refuse('this cannot be scored', check_parts(Config(read)))
    return cfg, METRICS.build(found)


def find_weights(args: argparse.Namespace) -> Path:
    """The file of the network: as named, of an epoch of a run, or written now as it is initialised.

    Raises:
        ConfigError: none or both are given, or the file is not there.
    """
    if (args.weights is None) == (args.epoch is None):
        raise ConfigError('give WEIGHTS, or --epoch N for epoch_N.pth of the run of a training config: one of the two')
    if args.epoch is not None:
        folder = Path(load_config(args.config).get('work_dir') or default_work_dir(args.config))
        file = folder / f'epoch_{args.epoch}.pth'
        if not file.is_file():
            there = sorted(folder.glob('epoch_*.pth'), key=lambda path: (len(path.name), path.name))
            raise ConfigError(f'there is no {file}; in {folder}: {", ".join(path.name for path in there) or "none"}')
        return file
    if args.weights != RANDOM:
        return Path(args.weights)
    file = default_work_dir(args.config) / 'random_seed0.pth'
    if args.check is not None or args.launcher == 'none':
        write_initial_weights(args.config, file, force=True)
    return file


def measure(run: SVMRun, train: FeatureFolder, test: FeatureFolder, jobs: int | None, out: Path | None) -> None:
    """Every part of the protocol for every layer, then the table; what was measured before is taken as it is."""
    targets = run.metric.targets(train.labels, test.labels, train.facts.get('classes'))
    results = Results(run.work_dir, run.metric, (train, test))
    for layer in run.layers:
        sets = [LabeledFeatures(folder.layer(layer), own) for folder, own in zip((train, test), targets, strict=True)]
        task = SVMTask(sets[0], sets[1], single=train.labels.ndim == 1)
        for part in run.metric.parts:
            what = 'all images' if part == ALL else f'{part} a class'
            if results.find(layer, part):
                print(f'{layer}, {what}: there already', file=sys.stderr, flush=True)
                continue
            rows, classes = task.train.targets.shape  # rows: of the largest set that one SVM learns from
            rows = rows if part == ALL else min(rows, classes * int(part))
            count = jobs or jobs_that_fit(rows, task.train.features.shape[1])
            print(f'{layer}, {what}: fitting, {count} at a time', file=sys.stderr, flush=True)
            results.keep(layer, part, run.metric.measure(part, task, count))
    print(write_results(results, run.layers, run.weights, str(run.protocol.filename), out), flush=True)
