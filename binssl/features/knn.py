"""k-NN classification of a trained network's features, as a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.config import Config

from binssl.core.console import quiet
from binssl.datasets import BankAndQuery, build_dataset
from binssl.datasets.download import download_data
from binssl.engine.config import load_config, metric_config, parse_options
from binssl.engine.testing import in_order, test, testing_parser
from binssl.evaluation import EvaluationError, check_neighbours
from binssl.registry import METRICS, ConfigError


def parse_knn(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/test_knn.py``."""
    parser = testing_parser('tools/test_knn.py', "k-NN accuracy of a network's features, on the data of a config.")
    knn_help = "how many neighbours vote, for each accuracy; default: the config's"
    parser.add_argument('--num-knn', '--num_knn', type=int, nargs='+', metavar='K', help=knn_help)
    parser.add_argument('--temperature', type=float, help="of the votes' weights exp(cos / T); default: the config's")
    return parser.parse_args(arguments)


def test_knn(args: argparse.Namespace) -> None:
    """Test by k-NN alone, on the test data of the config, whatever else that is scored by.

    Raises:
        ConfigError: no data to learn from and to score, settings that are not possible, or a file that is no network
            of ours; before anything is extracted.
    """
    config, _ = in_order(args.files)
    cfg = load_config(config, parse_options(args.cfg_options))
    evaluator = knn_evaluator(cfg, args.num_knn, args.temperature)
    metric: Any = METRICS.build(evaluator)
    if args.check is not None or args.launcher == 'none':  # processes of a launcher come after its check
        if cfg.get('test_dataloader') and args.download:
            download_data(cfg, ['test_dataloader'])
        check_bank(cfg, metric.num_neighbours)
    args.cfg_options = [*args.cfg_options, f'test_evaluator={[evaluator]!r}']
    test(args)


def knn_evaluator(cfg: Config, num_neighbours: Sequence[int] | None, temperature: float | None) -> dict[str, Any]:
    """The config's KNNAccuracy, or a plain one where there is none, with what is given in the place of its settings."""
    own = metric_config(cfg, 'test_evaluator', 'KNNAccuracy') or dict(type='KNNAccuracy')
    given = dict(num_neighbours=num_neighbours, temperature=temperature)
    return {**own, **{key: value for key, value in given.items() if value is not None}}


def check_bank(cfg: Config, num_neighbours: Sequence[int]) -> None:
    """Build the test data, and see whether its bank can be learnt from.

    Raises:
        ConfigError: there are none, or no bank, too few images in it, one class, or images without labels.
    """
    if not cfg.get('test_dataloader'):
        raise ConfigError(f'{cfg.filename} has no test_dataloader; take a config of configs/benchmarks/knn')
    with quiet():
        dataset = build_dataset(cfg.test_dataloader.dataset)
    if not isinstance(dataset, BankAndQuery):
        raise ConfigError(
            f'{cfg.filename}: test_dataloader.dataset is a {dataset.kind}, which has no images '
            "to learn from: take type='BankAndQuery', or a config of configs/benchmarks/knn"
        )
    check_neighbours(num_neighbours, len(dataset.bank))
    for name, part in (('bank', dataset.bank), ('query', dataset.query)):
        labels = part.labels
        if labels is None or labels.ndim > 1:
            continue  # the test says what is wrong with these
        if unknown := int((labels < 0).sum()):
            raise EvaluationError(
                f'{unknown} of the {len(labels)} images of the {name} have no label: take lists with '
                'lines PATH LABEL, class folders, or labeled=True'
            )
        if name == 'bank' and len(np.unique(labels)) < 2:
            raise EvaluationError(f'the bank has only class {int(labels[0])}; at least two are needed')
