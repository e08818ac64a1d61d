"""SwAV's transport written out: the oracle of its codes."""

from __future__ import annotations

import math

import numpy as np


def sinkhorn_by_loop(scores: np.ndarray, epsilon: float, iterations: int) -> np.ndarray:
    """The paper's iteration on the matrix of exponentials itself, entry by entry."""
    images, prototypes = scores.shape
    plan = [[math.exp(scores[n, k] / epsilon) for n in range(images)] for k in range(prototypes)]
    for _ in range(iterations):
        for k in range(prototypes):
            total = sum(plan[k])
            plan[k] = [value / total / prototypes for value in plan[k]]
        for n in range(images):
            total = sum(plan[k][n] for k in range(prototypes))
            for k in range(prototypes):
                plan[k][n] = plan[k][n] / total / images
    return images * np.array(plan).T
