"""An encoder written out in numpy, and the slope of a loss by differences: oracles for losses without labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

State = dict[str, np.ndarray]


def state_of(model: nn.Module) -> State:
    """The state dict in float64."""
    return {name: value.detach().numpy().astype(np.float64) for name, value in model.state_dict().items()}


def mlp(state: State, prefix: str, rows: np.ndarray) -> np.ndarray:
    """Linear, BatchNorm by this batch where there is one, ReLU but for the last layer: (N, C) -> (N, D)."""
    layer = 0
    while f'{prefix}.linear{layer}.weight' in state:
        rows = rows @ state[f'{prefix}.linear{layer}.weight'].T + state.get(f'{prefix}.linear{layer}.bias', 0.0)
        norm = f'{prefix}.norm{layer}'
        if f'{norm}.running_mean' in state:
            rows = (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + 1e-5)
            rows = rows * state.get(f'{norm}.weight', 1.0) + state.get(f'{norm}.bias', 0.0)
        layer += 1
        if f'{prefix}.linear{layer}.weight' in state:
            rows = np.maximum(rows, 0)
    return rows


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))


def mean_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Pair by pair."""
    cosines = [a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in zip(one, other, strict=True)]
    return sum(cosines) / len(cosines)


def spread(rows: np.ndarray) -> float:
    """Standard deviation of the unit rows' channels, 1 over the whole sphere."""
    columns = unit(rows).T
    deviations = [np.sqrt(((column - column.mean()) ** 2).mean()) for column in columns]
    return float(np.mean(deviations) * np.sqrt(len(columns)))


def check_gradients(model: nn.Module, loss_of: Callable[[State], float], step: float = 1e-6) -> None:
    """Compare each parameter's gradient with differences of ``loss_of(state)``, along one direction at random."""
    draw, state = np.random.RandomState(0), state_of(model)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None, name
            continue
        direction = draw.normal(size=tuple(parameter.shape))
        ahead, behind = (dict(state, **{name: state[name] + sign * step * direction}) for sign in (1, -1))
        slope = (loss_of(ahead) - loss_of(behind)) / (2 * step)
        given = (parameter.grad * torch.from_numpy(direction)).sum().item()
        assert abs(given - slope) <= 1e-6 * max(abs(slope), 1e-2), f'{name}: {given} for {slope}'
