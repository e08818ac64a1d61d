"""A sheet of images, each with those whose features are nearest to its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from binssl.data_tools.contact_sheet import Sample, draw_sheet, fit, tile_side
from binssl.evaluation import EvaluationError

ROWS_AT_ONCE = 1 << 16  # of features on the disk


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
    chosen = _unit_rows(features[queries])
    parts = [features[start : start + ROWS_AT_ONCE] for start in range(0, len(features), ROWS_AT_ONCE)]
    similarity = np.concatenate([chosen @ _unit_rows(part).T for part in parts], 1)  # (Q, D) x (D, N) -> (Q, N)
    similarity[np.arange(len(queries)), queries] = -np.inf
    nearest = np.argsort(-similarity, axis=1, kind='stable')[:, :count]
    return nearest, np.take_along_axis(similarity, nearest, axis=1)


def check_others(count: int, images: int) -> None:
    """Raises an EvaluationError unless each of so many ``images`` has ``count`` others, and that is one at least."""
    if not 1 <= count < images:
        raise EvaluationError(
            f'{count} neighbours were asked for, and each image has {images - 1} others: ask for at '
            'least one and no more than that'
        )


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def draw_neighbours(
    originals: Any, queries: Sequence[int], nearest: np.ndarray, similarity: np.ndarray, path: Path
) -> None:
    """Draw the queries' rows.

    Args:
        originals: names, labels and pictures of the images.
        queries: Q indices.
        nearest: (Q, k) indices.
        similarity: (Q, k).
        path: the file to write.
    """
    first = [originals.image(index) for index in (queries[0], *nearest[0])]
    side = tile_side([picture for picture in first if picture is not None])
    samples = []
    for query, others, values in zip(queries, nearest.tolist(), similarity.tolist(), strict=True):
        pictures = [originals.image(index) for index in (query, *others)]
        small = [None if picture is None else fit(picture, side) for picture in pictures]
        beside = zip(others, values, strict=True)
        titles = ['query', *(f'{_told(originals, index)} {value:.3f}' for index, value in beside)]
        samples.append(Sample(originals.name(query), _note(originals, query, others), small, titles))
    sheet, _ = draw_sheet(samples, side)
    sheet.save(path)


def _note(originals: Any, query: int, others: Sequence[int]) -> str:
    """The query's class, and how many of the others are of it; of an image without a label nothing is known."""
    told, own = _told(originals, query), originals.labels[query]
    if own < 0:
        return told
    alike = int((originals.labels[others] == own).sum())
    return f'{told}; {alike} of its {len(others)} neighbours are of its class'


def _told(originals: Any, index: int) -> str:
    label = int(originals.labels[index])
    return 'no label' if label < 0 else originals.class_name(label) or f'label {label}'
