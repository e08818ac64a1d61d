"""Features in the plane: every image a point, coloured by its class."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from binssl.evaluation import EvaluationError
from binssl.registry import ConfigError

METHODS = {'tsne': 't-SNE', 'umap': 'UMAP'}
FEWEST_IMAGES = 5
UMAP_NEIGHBOURS = 15
MOST_NAMED = 20  # classes in the legend, which is also how many colours can be told apart


def check_libraries(method: str) -> None:
    """Ask for what a picture will need.

    Raises:
        ConfigError: matplotlib or the method's library is not installed.
    """
    libraries = dict(matplotlib='plots', **(dict(umap='umap') if method == 'umap' else dict(sklearn='digits')))
    for library, extra in libraries.items():
        if find_spec(library) is None:
            raise ConfigError(f'the picture needs {library}: pip install "binssl[{extra}]"')


def check_images(count: int) -> None:
    """Raises an EvaluationError where so few images make no picture."""
    if count < FEWEST_IMAGES:
        raise EvaluationError(f'{count} images make no picture; at least {FEWEST_IMAGES} do')


def embed_features(features: np.ndarray, method: str) -> np.ndarray:
    """Features (N, D) in two dimensions, (N, 2), by cosine distances; same features, same picture.

    Args:
        features: at least five.
        method: a key of :data:`METHODS`.

    Raises:
        EvaluationError: there are too few.
        ConfigError: the method's library is not installed.
    """
    check_images(len(features))
    if method == 'tsne':
        return _tsne(features)
    try:
        from umap import UMAP
    except ImportError as error:
        raise ConfigError('UMAP is not installed: pip install "binssl[umap]", or take --method tsne') from error
    neighbours = min(UMAP_NEIGHBOURS, len(features) - 1)
    return UMAP(metric='cosine', random_state=0, n_neighbors=neighbours, n_jobs=1).fit_transform(features)


def _tsne(features: np.ndarray) -> np.ndarray:
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ConfigError('t-SNE comes with scikit-learn: pip install "binssl[digits]"') from error
    perplexity = min(30.0, (len(features) - 1) / 3)
    tsne = TSNE(init='pca', metric='cosine', perplexity=perplexity, random_state=0, n_jobs=1)
    return tsne.fit_transform(features.astype(np.float64))


def draw_embedding(points: np.ndarray, labels: np.ndarray, names: Sequence[str], title: str, path: Path) -> None:
    """A picture of points (N, 2), coloured by their labels.

    Args:
        points: where the images are.
        labels: (N,), -1 (grey) where unknown.
        names: of the classes; up to 20 classes that are there stand in a legend.
        title: above the picture.
        path: the file to write.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib import colormaps
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError('the picture needs matplotlib: pip install "binssl[plots]"') from error
    figure = Figure(figsize=(9, 8), layout='constrained')
    FigureCanvasAgg(figure)
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
