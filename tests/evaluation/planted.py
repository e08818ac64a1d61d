"""Features with known answers, and their k-NN accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from binssl.evaluation.neighbour_search import check_neighbours, find_nearest, grid_rows, vote


def planted(count: int, classes: int = 5, dim: int = 16, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features around one fixed random centre per class, (count, dim), with their labels (count,)."""
    centres = torch.randn(classes, dim, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    return centres[labels] + noise * torch.randn(count, dim, generator=generator), labels


def digits() -> tuple[Tensor, ...]:
    """Pixels of scikit-learn's digits, ordered split: bank (1437, 64), labels, queries (360, 64), labels."""
    images, labels = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
    return images[:1437], labels[:1437], images[1437:], labels[1437:]


def batches(features: Tensor, labels: Tensor, banks: Tensor, size: int = 7) -> list[list[dict[str, Tensor]]]:
    """The same as a model's predictions, batch by batch, with the samples' indices."""
    whole = dict(
        features=features, labels=labels, banks=banks, indices=torch.arange(len(labels)), scores=features[:, :5]
    )
    return [
        [{key: value[start : start + size] for key, value in whole.items()}] for start in range(0, len(labels), size)
    ]


def knn_accuracies(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    query_labels: Tensor,
    num_neighbours: Sequence[int],
    temperature: float = 0.07,
) -> list[float]:
    """Share of queries whose class a weighted vote finds, for each of ``num_neighbours``: all in one process.

    Shape: features (N, D) and labels (N,) of the bank, (M, D) and (M,) of the queries.
    """
    check_neighbours(num_neighbours, len(bank))
    classes, targets = bank_labels.cpu().unique(return_inverse=True)
    nearest = find_nearest(
        grid_rows(bank), torch.arange(len(bank)), grid_rows(queries), max(num_neighbours), bank.device
    )
    winners = classes[vote(nearest, targets, len(classes), num_neighbours, temperature)]
    return (winners == query_labels.cpu()).double().mean(1).tolist()
