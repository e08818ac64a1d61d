"""What the runs of a recipe have written, gathered for its table and picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from binssl.checkpoints import load_model
from binssl.engine.recipe import Recipe
from binssl.engine.recipe_job import Job
from binssl.registry import DATASETS


def gather_records(recipe: Recipe, jobs: Sequence[Job]) -> dict[str, list[dict[str, float]]]:
    """The numbers of every row that was run, one dict a seed: those of its test, ``seconds`` and ``core_seconds``.

    These are the wall time and the processor time that the row's own step took, training and extraction; what it
    builds on has a row, or a step, of its own.
    """
    by_label = {job.label: job for job in jobs}
    seeds = sorted({job.seed for job in jobs})
    records: dict[str, list[dict[str, float]]] = {}
    for row, name in recipe.rows.items():
        labels = [f'seed{seed}/{name}' for seed in seeds]
        if all(label in by_label for label in labels):
            records[row] = [_numbers(by_label[label]) for label in labels]
    return records


def _numbers(job: Job) -> dict[str, float]:
    test = job.folder.with_name(f'test_{job.step.name}') / 'results.json'
    metrics = json.loads(test.read_text())['metrics']
    done = json.loads((job.folder / 'done.json').read_text())
    return dict(metrics, **{key: done[key] for key in ('seconds', 'core_seconds') if key in done})


def read_curves(run: Path) -> dict[str, list[tuple[float, float]]]:
    """Every logged scalar of a training run as (epoch, value) points.

    An interrupted run has a log for each start; of two values of a name at the same iteration the later one counts.
    """
    points: dict[int, dict[str, float]] = {}
    for file in sorted(run.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            values = json.loads(line)
            points.setdefault(values['step'], {}).update(values)
    epochs = max((values['epoch'] for values in points.values() if 'epoch' in values), default=0)
    per_epoch = max(points) / epochs if epochs else 1.0
    curves: dict[str, list[tuple[float, float]]] = {}
    for step in sorted(points):
        for name, value in points[step].items():
            curves.setdefault(name, []).append((step / per_epoch, value))
    return curves


def gather_embedding(recipe: Recipe, jobs: Sequence[Job]) -> tuple[Tensor, Tensor]:
    """Features (N, D) of the picture's data set by the first seed's network, and its labels (N,)."""
    job = next(job for job in jobs if job.step.name == recipe.picture['embedding'])
    dataset = DATASETS.build(recipe.picture['dataset'])
    samples = [dataset[index] for index in range(len(dataset))]
    model: Any = load_model(job.output)
    images = torch.stack([sample['images'][0] for sample in samples])
    labels = torch.tensor([sample['labels'] for sample in samples])
    with torch.no_grad():
        batch = model.data_preprocessor(dict(images=images, labels=labels))
        return model.extract(batch['images']), labels
