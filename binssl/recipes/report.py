"""The report of a recipe: a table of every network's numbers, and a picture of how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from binssl.checkpoints import load_model
from binssl.core.files import has_form, write_json, write_text
from binssl.core.tables import markdown, summarise
from binssl.datasets import build_dataset
from binssl.features.pictures import embed_features, new_figure
from binssl.recipes.job import Job
from binssl.recipes.recipe import Recipe

#: entries of a record, their headings, their formats
COLUMNS = {
    'linear_top1': ('linear', '.1f'),
    'knn_top1': ('k-NN', '.1f'),
    'few_shot_top1': ('1 label a class', '.1f'),
    'top1': ('top-1', '.1f'),
    'top5': ('top-5', '.1f'),
    'seconds': ('seconds', '.0f'),
    'core_seconds': ('core-seconds', '.0f'),
}
#: what a table of features, and one of classifiers, says of its numbers
FEATURES_NOTE = (
    'Accuracy in percent of frozen features of the test images: a linear classifier on all training labels, k-NN,',
    'and a linear classifier on one label a class (mean of 20 draws).',
)
CLASSIFIERS_NOTE = ('Accuracy in percent on the test images.',)
SECONDS_NOTE = ('Seconds: wall time of the own step, and what it used of the processor, if no step was interrupted.',)
#: what a curve of a run is called
CURVES = {'loss': 'loss', 'kl': 'KL divergence', 'feature_distance': 'feature distance 2 - 2 cos'}

Records = Mapping[str, Sequence[Mapping[str, float]]]
Curves = Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]


def gather_records(recipe: Recipe, jobs: Sequence[Job]) -> dict[str, list[dict[str, float]]]:
    """The numbers of every row that was run, one dict a seed: those of its test, ``seconds`` and ``core_seconds``.

    These are the wall time and the processor time that the row's own step took, training and extraction; what it
    builds on has a row, or a step, of its own.
    """
    by_name: dict[str, list[Job]] = {}
    for job in sorted(jobs, key=lambda job: job.seed):
        by_name.setdefault(job.step.name, []).append(job)
    records = {}
    for row, name in recipe.rows.items():
        pairs = zip(by_name.get(name, []), by_name.get(f'test_{name}', []), strict=True)
        records[row] = [
            {**test.metrics, **{key: job.record[key] for key in ('seconds', 'core_seconds') if key in job.record}}
            for job, test in pairs
        ]
    return {row: seeds for row, seeds in records.items() if seeds}


def read_curves(run: Path) -> dict[str, list[tuple[float, float]]]:
    """Every logged scalar of a training run as (epoch, value) points.

    An interrupted run has a log for each start; of two values of a name at the same iteration the later one counts.
    """
    points: dict[int, dict[str, float]] = {}
    for file in sorted(run.glob('*/vis_data/scalars.json')):
        for line in file.read_text(errors='replace').splitlines():
            with suppress(ValueError, RecursionError):  # the last line of a run that was killed, or a damaged one
                values = json.loads(line)
                if has_form(values, dict(step=int)) and has_form(values, {...: float}):
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
    dataset = build_dataset(recipe.picture['dataset'])
    samples = dataset.batch(range(len(dataset)))
    model: Any = load_model(job.output)
    with torch.no_grad():
        images = model.data_preprocessor(dict(images=samples['images'][0]))['images']
        return model.extract(images), samples['labels']


def table(records: Records) -> list[list[str]]:
    """A line of headings, then a line for each row of ``records`` (a dict a seed); columns that all rows have."""
    every = [seed for seeds in records.values() for seed in seeds]
    columns = {key: column for key, column in COLUMNS.items() if all(key in seed for seed in every)}
    head = ['', *(heading for heading, _ in columns.values())]
    lines = [
        [row, *(summarise([seed[key] for seed in seeds], form) for key, (_, form) in columns.items())]
        for row, seeds in records.items()
    ]
    return [head, *lines]


def write_tables(title: str, records: Records, folder: Path) -> str:
    """Write ``table.md`` and ``table.json`` (every seed's numbers) into ``folder``.

    Returns:
        What ``table.md`` says, for a person to read.
    """
    count = max(map(len, records.values()), default=0)
    seeds = f' Mean of {count} seeds (lowest..highest).' if count > 1 else ''
    classifiers = any('top1' in seed for row in records.values() for seed in row)
    notes = (CLASSIFIERS_NOTE if classifiers else FEATURES_NOTE) + SECONDS_NOTE
    text = f'{title}\n\n{markdown(table(records))}\n\n' + '\n'.join(notes) + seeds
    write_text(folder / 'table.md', text + '\n')
    write_json(folder / 'table.json', {'title': title, 'rows': records})
    return text


def draw_report(curves: Curves, features: Tensor, labels: Tensor, path: Path) -> Path:
    """Draw loss, balance and information of the stages, one after the other, beside an embedding of features.

    Args:
        curves: of every stage, what :data:`CURVES` names, ``kl_weight`` and ``information``, as (epoch, value) points.
        features: (N, D).
        labels: (N,), class numbers.
        path: the picture.
    """
    figure = new_figure((12, 6))
    grid = figure.add_gridspec(3, 2, width_ratios=(1.05, 1), height_ratios=(2, 1, 1))
    panels = [figure.add_subplot(grid[row, 0]) for row in range(3)]
    _draw_curves(panels, curves)
    _draw_embedding(figure.add_subplot(grid[:, 1]), embed_features(features.double().numpy(), 'tsne'), labels)
    figure.align_ylabels(panels)
    figure.savefig(path, dpi=110)
    return path


def _draw_curves(panels: Sequence[Any], curves: Curves) -> None:
    loss, balance, information = panels
    colours = dict(zip(CURVES, ('black', '#4477aa', '#ee7733'), strict=True))
    start = 0.0
    for stage, (name, run) in enumerate(curves.items()):
        ends = [points[-1][0] for points in run.values() if points]
        for panel, keys in ((loss, CURVES), (balance, ('kl_weight',)), (information, ('information',))):
            for key in keys:
                points = [(start + epoch, value) for epoch, value in run.get(key, ())]
                label = CURVES.get(key) if not stage else None
                if points:
                    panel.plot(*zip(*points, strict=True), color=colours.get(key, 'black'), label=label)
            if stage:
                panel.axvline(start, color='grey', linewidth=0.8)
        loss.text(start + max(ends, default=0.0) / 2, 1.02, name, transform=loss.get_xaxis_transform(), ha='center')
        start += max(ends, default=0.0)
    for panel, title in zip(panels, ('loss and its parts', 'weight of KL', 'information\n(nat)'), strict=True):
        panel.set_ylabel(title)
        panel.set_xlim(0, start or 1)
        panel.spines[['top', 'right']].set_visible(False)
    loss.set_ylim(bottom=0)
    loss.legend(frameon=False)
    balance.set_ylim(0, None)
    information.set_ylim(0, None)
    information.axhline(0.1, color='#cc3311', linestyle='--', linewidth=0.9)
    told = dict(color='#cc3311', fontsize='small', transform=information.get_yaxis_transform())
    information.text(0.01, 0.14, 'below: the classifiers have become constant', **told)
    information.set_xlabel('epoch')
    for panel in panels[:2]:
        panel.tick_params(labelbottom=False)


def _draw_embedding(panel: Any, points: Any, labels: Tensor) -> None:
    classes = labels.unique().tolist()
    for place, label in enumerate(classes):
        chosen = points[labels.numpy() == label]
        panel.scatter(*chosen.T, s=0)  # the limits; the digits themselves are drawn below
        for x, y in chosen:
            panel.text(x, y, str(label), color=f'C{place % 10}', fontsize=9, ha='center', va='center', clip_on=True)
    panel.set_title(f'features of the {len(labels)} test images, by class (t-SNE)', fontsize='medium')
    panel.set_xticks([])
    panel.set_yticks([])
