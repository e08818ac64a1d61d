"""``tools/visualize_embedding.py``: a split's features for a person to look at."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from binssl.data_tools.browse import spread
from binssl.datasets.download import download_data
from binssl.engine.launch import processes
from binssl.features.embedding import METHODS, check_images, check_libraries, draw_embedding, embed_features
from binssl.features.extract import add_extraction_flags, check_out, chosen_data, feature_root
from binssl.features.folder import FeatureFolder, extract_features
from binssl.features.neighbour_sheet import check_others, draw_neighbours, nearest_images
from binssl.registry import DATASETS, FUNCTIONS, ConfigError

ENDINGS = ('.png', '.jpg', '.jpeg')


def parse_visualisation(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/visualize_embedding.py``."""
    parser = argparse.ArgumentParser(prog='tools/visualize_embedding.py', description="Draw a split's features")
    add_extraction_flags(parser)
    parser.add_argument('--out', required=True, metavar='PNG', help='the picture')
    parser.add_argument('--layer', default='neck', help='neck (what goes downstream), feat1 to feat5, or a module')
    parser.add_argument('--method', choices=tuple(METHODS), default='tsne', help='default: tsne')
    parser.add_argument('--images', type=int, default=5000, metavar='N', help='at most, evenly spread; default: 5000')
    sheet_help = 'draw instead a sheet of some images, each with its N nearest of the split'
    parser.add_argument('--neighbours', type=int, metavar='N', help=sheet_help)
    parser.add_argument('--queries', type=int, default=12, metavar='N', help='images on the sheet; default: 12')
    return parser.parse_args(arguments)


def visualise(args: argparse.Namespace) -> None:
    """Extract features, or take kept ones, and draw them.

    Raises:
        ConfigError: an ending that is no picture's, a file that is there, numbers below 1, too few images; see also
            :func:`extract_features`.
        ConfigError: what draws is not installed.
    """
    if Path(args.out).suffix.lower() not in ENDINGS:
        raise ConfigError(f'{args.out}: a picture is written as {" or ".join(ENDINGS)}; give --out such a name')
    for flag in ('images', 'queries', 'neighbours'):
        value = getattr(args, flag)
        if value is not None and value < 1:
            raise ConfigError(f'--{flag} {value} must be at least 1')
    if args.neighbours is None:
        check_libraries(args.method)
    cfg, dataset = chosen_data(args, [args.layer])
    check_out(args.out, args.force)
    name = f'{args.split}_dataloader'
    if args.download:
        download_data(cfg, [name])
    originals = _open_originals(args, dataset)
    root = feature_root(args)
    try:
        with processes('none', args.device) as device:
            features = extract_features(
                Path(args.weights),
                dataset,
                [args.layer],
                root,
                pool=args.pool,
                batch_size=cfg[name].batch_size,
                num_workers=cfg[name].get('num_workers'),
                device=device,
            )
        (_draw_points if args.neighbours is None else _draw_sheet)(args, features, originals)
    finally:
        if not args.cache_features:
            shutil.rmtree(root, ignore_errors=True)
    print(args.out)


def _open_originals(args: argparse.Namespace, dataset: dict[str, Any]) -> Any:
    """The images before any view, of which there are enough for what is to be drawn."""
    make_originals: Any = FUNCTIONS.get('Originals')
    originals = make_originals(DATASETS.build(dict(dataset), default_args=dict(seed=0)))
    if args.neighbours is None:
        check_images(min(args.images, len(originals)))
    else:
        check_others(args.neighbours, len(originals))
    return originals


def _draw_points(args: argparse.Namespace, features: FeatureFolder, originals: Any) -> None:
    chosen = spread(len(features.labels), args.images)
    labels = features.labels[chosen]
    if labels.ndim > 1:  # several labels an image have no one colour
        labels = np.full(len(chosen), -1)
    points = embed_features(np.asarray(features.layer(args.layer)[chosen]), args.method)
    names = [originals.class_name(label) or str(label) for label in range(int(labels.max()) + 1)]
    weights = Path(args.weights).absolute()
    title = f'{args.layer} of {len(chosen):,} images, {weights.parent.name}/{weights.name} ({METHODS[args.method]})'
    draw_embedding(points, labels, names, title, Path(args.out))


def _draw_sheet(args: argparse.Namespace, features: FeatureFolder, originals: Any) -> None:
    queries = spread(len(features.labels), args.queries)
    nearest, similarity = nearest_images(np.asarray(features.layer(args.layer)), queries, args.neighbours)
    draw_neighbours(originals, queries, nearest, similarity, Path(args.out))
