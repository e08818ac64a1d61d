"""Pictures of features (``tools/visualize_embedding.py``): images as points in the plane, or beside their nearest."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from binssl.checkpoints.weights import check_output
from binssl.core.command_line import check_at_least_one
from binssl.data_tools.browse import spread
from binssl.data_tools.contact_sheet import Sample, draw_sheet, fit, tile_side
from binssl.datasets import ImageDataset, build_dataset
from binssl.datasets.download import download_data
from binssl.evaluation import EvaluationError
from binssl.evaluation.neighbour_search import find_nearest, grid_rows, merge_nearest
from binssl.features.extract import add_extraction_flags, chosen_data, extracted
from binssl.features.folder import FeatureFolder
from binssl.registry import ConfigError

ENDINGS = ('.png', '.jpg', '.jpeg')
#: what each method is called, and its library
METHODS = {'tsne': ('t-SNE', 'sklearn'), 'umap': ('UMAP', 'umap')}
#: libraries of the pictures, and the extras that bring them
EXTRAS = {'matplotlib': 'plots', 'sklearn': 'digits', 'umap': 'umap'}
FEWEST_IMAGES = 5
UMAP_NEIGHBOURS = 15
MOST_NAMED = 20  # classes in the legend, which is also how many colours can be told apart
ROWS_AT_ONCE = 1 << 16  # of features on the disk


def parse_visualisation(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of ``tools/visualize_embedding.py``."""
    parser = argparse.ArgumentParser(prog='tools/visualize_embedding.py', description="Draw a split's features")
    add_extraction_flags(parser)
    parser.add_argument('--out', required=True, metavar='PNG', help='the picture')
    parser.add_argument('--device', choices=('auto', 'cuda', 'cpu'), default='auto')
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
        ConfigError: an ending that is no picture's, a file that is there, numbers below 1, too few images, or what
            draws is not installed; see also :func:`extract_features`.
    """
    if Path(args.out).suffix.lower() not in ENDINGS:
        raise ConfigError(f'{args.out}: a picture is written as {" or ".join(ENDINGS)}; give --out such a name')
    check_at_least_one(images=args.images, queries=args.queries, neighbours=args.neighbours)
    if args.neighbours is None:
        check_libraries('matplotlib', METHODS[args.method][1])
    cfg, loader = chosen_data(args, [args.layer])
    check_output(args.weights, args.out, args.force)
    if args.download:
        download_data(cfg, [f'{args.split}_dataloader'])
    data = build_dataset(loader['dataset'], seed=0)
    data.original(0)  # a set that keeps none is an error now
    if args.neighbours is None:
        check_images(min(args.images, len(data)))
    else:
        check_others(args.neighbours, len(data))
    with extracted(args, loader, [args.layer]) as features:
        (_draw_points if args.neighbours is None else _draw_sheet)(args, features, data)
    print(args.out)


def _draw_points(args: argparse.Namespace, features: FeatureFolder, data: ImageDataset) -> None:
    chosen = spread(len(features.labels), args.images)
    labels = features.labels[chosen]
    if labels.ndim > 1:  # several labels an image have no one colour
        labels = np.full(len(chosen), -1)
    points = embed_features(np.asarray(features.layer(args.layer)[chosen]), args.method)
    names = [data.class_name(label) or str(label) for label in range(int(labels.max()) + 1)]
    weights = Path(args.weights).absolute()
    title = f'{args.layer} of {len(chosen):,} images, {weights.parent.name}/{weights.name} ({METHODS[args.method][0]})'
    draw_embedding(points, labels, names, title, Path(args.out))


def _draw_sheet(args: argparse.Namespace, features: FeatureFolder, data: ImageDataset) -> None:
    queries = spread(len(features.labels), args.queries)
    nearest, similarity = nearest_images(np.asarray(features.layer(args.layer)), queries, args.neighbours)
    draw_neighbours(data, queries, nearest, similarity, Path(args.out))


def check_libraries(*names: str) -> None:
    """Raises a ConfigError that names what brings the first of these libraries, of :data:`EXTRAS`, that is lacking."""
    for name in names:
        if find_spec(name) is None:
            raise ConfigError(f'the picture needs {name}: pip install "binssl[{EXTRAS[name]}]"')


def check_images(count: int) -> None:
    """Raises an EvaluationError where so few images make no picture."""
    if count < FEWEST_IMAGES:
        raise EvaluationError(f'{count} images make no picture; at least {FEWEST_IMAGES} do')


def embed_features(features: np.ndarray, method: str) -> np.ndarray:
    """Features (N, D) in two dimensions, (N, 2), by cosine distances; same features, same picture.

    Raises:
        EvaluationError: there are fewer than five.
        ConfigError: the library of the method, a key of :data:`METHODS`, is not installed.
    """
    check_images(len(features))
    if method == 'tsne':
        try:
            from sklearn.manifold import TSNE
        except ImportError as error:
            raise ConfigError('t-SNE comes with scikit-learn: pip install "binssl[digits]"') from error
        perplexity = min(30.0, (len(features) - 1) / 3)
        tsne = TSNE(init='pca', metric='cosine', perplexity=perplexity, random_state=0, n_jobs=1)
        return tsne.fit_transform(features.astype(np.float64))
    try:
        from umap import UMAP
    except ImportError as error:
        raise ConfigError('UMAP is not installed: pip install "binssl[umap]", or take --method tsne') from error
    neighbours = min(UMAP_NEIGHBOURS, len(features) - 1)
    return UMAP(metric='cosine', random_state=0, n_neighbors=neighbours, n_jobs=1).fit_transform(features)


def new_figure(inches: tuple[float, float]) -> Any:
    """An empty figure of so many inches; a ConfigError where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError('the picture needs matplotlib: pip install "binssl[plots]"') from error
    figure = Figure(figsize=inches, layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def draw_embedding(points: np.ndarray, labels: np.ndarray, names: Sequence[str], title: str, path: Path) -> None:
    """A picture of points (N, 2), coloured by their labels.

    Args:
        points: where the images are.
        labels: (N,), -1 (grey) where unknown.
        names: of the classes; up to 20 classes that are there stand in a legend.
        title: above the picture.
        path: the file to write.
    """
    figure = new_figure((9, 8))
    from matplotlib import colormaps

    panel: Any = figure.add_subplot()
    present = np.unique(labels).tolist()
    known = [label for label in present if label >= 0]
    colours = colormaps['tab10' if len(known) <= 10 else 'tab20'].colors  # type: ignore[attr-defined]
    size = float(np.clip(20_000 / len(points), 2, 40))
    for label in present:
        chosen = points[labels == label]
        colour = 'lightgrey' if label < 0 else colours[known.index(label) % len(colours)]
        panel.scatter(*chosen.T, s=size, color=[colour], label='no label' if label < 0 else names[label], linewidths=0)
    if len(present) <= MOST_NAMED:
        panel.legend(frameon=False, loc='center left', bbox_to_anchor=(1, 0.5))
    panel.set_title(title, fontsize='medium')
    panel.set_xticks([])
    panel.set_yticks([])
    figure.savefig(path, dpi=120)


def nearest_images(features: np.ndarray, queries: Sequence[int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` images most similar to each query by cosine, itself left out; the first of equal ones first.

    Args:
        features: (N, D).
        queries: Q of the N.
        count: k, at least 1.

    Returns:
        Indices and similarities, (Q, k) each, the nearest first.

    Raises:
        EvaluationError: there are not so many others.
    """
    check_others(count, len(features))
    asked, lists = grid_rows(torch.from_numpy(features[list(queries)])), []
    for start in range(0, len(features), ROWS_AT_ONCE):
        bank = grid_rows(torch.from_numpy(np.array(features[start : start + ROWS_AT_ONCE])))
        lists.append(find_nearest(bank, start + torch.arange(len(bank)), asked, count + 1))
    similarity, places = merge_nearest(lists, count + 1)
    others = places != torch.as_tensor(queries)[:, None]
    others[others.all(1), -1] = False  # where equal images stand before the query, it is not among so many
    return places[others].view(-1, count).numpy(), similarity[others].view(-1, count).numpy()


def check_others(count: int, images: int) -> None:
    """Raises an EvaluationError unless each of so many ``images`` has ``count`` others, and that is one at least."""
    if not 1 <= count < images:
        raise EvaluationError(
            f'{count} neighbours were asked for, and each image has {images - 1} others: ask for at '
            'least one and no more than that'
        )


def draw_neighbours(
    data: ImageDataset, queries: Sequence[int], nearest: np.ndarray, similarity: np.ndarray, path: Path
) -> None:
    """Write a sheet with a row of pictures for each of Q queries: itself, then the (Q, k) nearest of the data."""
    labels = data.single_labels()
    first = [data.original(index) for index in (queries[0], *nearest[0])]
    side = tile_side([picture for picture in first if picture is not None])
    samples = []
    for query, others, values in zip(queries, nearest.tolist(), similarity.tolist(), strict=True):
        pictures = [data.original(index) for index in (query, *others)]
        small = [None if picture is None else fit(picture, side) for picture in pictures]
        beside = zip(others, values, strict=True)
        titles = ['query', *(f'{_told(data, labels[index])} {value:.3f}' for index, value in beside)]
        note, own = _told(data, labels[query]), labels[query]
        if own >= 0:
            note += f'; {int((labels[others] == own).sum())} of its {len(others)} neighbours are of its class'
        samples.append(Sample(data.name(query), note, small, titles))
    sheet, _ = draw_sheet(samples, side)
    sheet.save(path)


def _told(data: ImageDataset, label: int) -> str:
    return 'no label' if label < 0 else data.class_name(label) or f'label {label}'
