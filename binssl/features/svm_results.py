"""Results of SVMs: each in a file of its own, known by what it was made from; a table of all."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from binssl.core.files import current_commit, file_sha256, read_json, write_json, write_text
from binssl.core.tables import markdown
from binssl.engine.experiment import config_hash
from binssl.evaluation import LinearSVM
from binssl.evaluation.linear_svm import ALL, Part
from binssl.features.folder import FeatureFolder

ALL_NOTE = 'all: SVMs on all training images, at costs that cross-validation chose for each class.'
SHOTS_NOTE = (
    'A number of shots: on so many images a class, mean ± standard deviation of {repeats} draws, at the cost that is '
    'best on the test images, as published.'
)
#: what a record's numbers are called in the table
HEADINGS = {'map': 'all: mAP', 'map_11_points': 'all: mAP, 11 points', 'top1': 'all: top-1'}


class Results:
    """The results of a protocol: ``LAYER/PART.json`` in ``folder``, from features learnt from and features scored."""

    def __init__(self, folder: Path, metric: LinearSVM, sources: tuple[FeatureFolder, FeatureFolder]) -> None:
        self.folder, self.metric, self.sources = folder, metric, sources
        self._started = time.monotonic()

    def source(self, layer: str) -> dict[str, Any]:
        """What decides the results of a layer, besides the part and its draws."""
        made = [{key: each.facts[key] for key in ('weights', 'data', 'views', 'pool')} for each in self.sources]
        return dict(layer=layer, train=made[0], test=made[1], settings=asdict(self.metric.settings))

    def find(self, layer: str, part: Part) -> dict[str, Any] | None:
        """The result, if it is there and was made from the same."""
        kept = read_json(self._file(layer, part), source=str, sha256=str, record=dict)
        whole = kept and kept['source'] == self._key(layer, part) and kept['sha256'] == config_hash(kept['record'])
        return kept['record'] if whole else None

    def keep(self, layer: str, part: Part, record: Mapping[str, Any]) -> None:
        """Write a result, whole or not at all."""
        now = time.monotonic()
        content = dict(source=self._key(layer, part), seconds=round(now - self._started, 1), record=record)
        content['sha256'] = config_hash(json.loads(json.dumps(record)))
        self._started = now
        write_json(self._file(layer, part), content)

    def _key(self, layer: str, part: Part) -> str:
        draws = {} if part == ALL else dict(repeats=self.metric.repeats, seed=self.metric.seed)
        return config_hash(dict(self.source(layer), **draws))

    def _file(self, layer: str, part: Part) -> Path:
        return self.folder / layer / (f'{part}.json' if part == ALL else f'{part}_shots.json')


def write_results(
    results: Results, layers: Sequence[str], weights: Path, protocol: str, out: Path | None = None
) -> str:
    """Write ``table.md`` and ``results.json`` into the results' folder, and the latter to ``out`` too.

    Args:
        results: all of them there.
        layers: a row each.
        weights: the network.
        protocol: path of its config.

    Returns:
        What ``table.md`` says.
    """
    metric = results.metric
    records = {layer: {part: results.find(layer, part) or {} for part in metric.parts} for layer in layers}
    source = results.source(layers[0])
    text = '\n\n'.join(
        [
            f'# Linear SVMs on features of {weights}',
            markdown(_table(metric, records)),
            _note(metric, records),
            f'protocol: {protocol}  \nweights: SHA-256 {file_sha256(weights)}  \n'
            f'data: SHA-256 {source["train"]["data"]} to learn from, {source["test"]["data"]} to score  \n'
            f'seed {metric.seed}, commit {current_commit() or "unknown"}',
        ]
    )
    metrics = {
        key if len(layers) == 1 else f'{key}_{layer}': value
        for layer, parts in records.items()
        for part, record in parts.items()
        for key, value in metric.flat(part, record).items()
    }
    facts = dict(
        metrics=metrics,
        checkpoint=str(weights),
        sha256=file_sha256(weights),
        config=protocol,
        source=source,
        commit=current_commit(),
        torch=torch.__version__,
        records=records,
    )
    for file in [results.folder / 'results.json', *([out] if out else [])]:
        write_json(file, facts)
    write_text(results.folder / 'table.md', text + '\n')
    return text


def _table(metric: LinearSVM, records: Mapping[str, Mapping[Part, Mapping[str, Any]]]) -> list[list[str]]:
    every = next(iter(records.values())).get(ALL, {})
    numbers = [key for key in HEADINGS if key in every]
    shots = [part for part in metric.parts if part != ALL]
    lines = [['layer', *(HEADINGS[key] for key in numbers), *(str(part) for part in shots)]]
    for layer, parts in records.items():
        few = (parts[part] for part in shots)
        spreads = [f'{one.get("map", one.get("top1")):.1f} ± {one["std"]:.1f}' for one in few]
        lines.append([layer, *(f'{parts[ALL][key]:.2f}' for key in numbers), *spreads])
    return lines


def _note(metric: LinearSVM, records: Mapping[str, Mapping[Part, Mapping[str, Any]]]) -> str:
    """What the numbers are."""
    stopped = sum(record['not_converged'] for parts in records.values() for record in parts.values())
    notes = [
        'In percent.',
        ALL_NOTE if ALL in metric.parts else '',
        SHOTS_NOTE.format(repeats=metric.repeats) if metric.parts != (ALL,) else '',
        f'{stopped:,} SVMs were stopped before they had converged.' if stopped else '',
    ]
    return ' '.join(note for note in notes if note)
