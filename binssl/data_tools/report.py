"""The report on a data set's images: counts, and a list of the bad ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_BAR = 30  # characters
_NAMED = 3  # examples of a remark
_MOST_CLASSES, _MOST_BAD = 20, 100  # that the printed report lists; the files have all


@dataclass
class FileFacts:
    """What was found in an image file.

    Attributes:
        problem: why the file cannot be used; None for a good one.
        mode: PIL's name of what the file holds, before it is made RGB.
        kind: the file's format, by its content.
        size: width and height as stored, before the EXIF orientation; (0, 0) where unknown.
        remarks: what is unusual in a good file.
    """

    problem: str | None = None
    mode: str = ''
    kind: str = ''
    size: tuple[int, int] = (0, 0)
    remarks: list[str] = field(default_factory=list)


@dataclass
class BadImage:
    """An image that cannot be used, or whose label cannot."""

    index: int
    file: str
    label: int
    problem: str


@dataclass
class Analysis:
    """Counts over the images of one split.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        dataset: the type of the data set.
        images: how many it has.
        files: how many have a file, which was read; the others were in memory already.
        modes, kinds: images by PIL's mode, and by file format.
        remarks: what is unusual, how often, and the first files of it.
        sizes: int (N, 2), width and height of each, as stored; 0 where unknown.
        counts: images by label, one entry a class, those without images included.
        unlabeled: images without a label.
        class_names: of the labels; empty where labels have no names.
        bad: what cannot be used.
    """

    split: str
    dataset: str
    images: int
    files: int
    sizes: np.ndarray
    counts: list[int]
    unlabeled: int
    class_names: list[str]
    bad: list[BadImage] = field(default_factory=list)
    modes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    remarks: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def add(self, index: int, path: str, label: int, facts: FileFacts) -> None:
        """Count the ``index``-th image, which is in the file ``path``."""
        self.sizes[index] = facts.size
        if facts.problem is not None:
            self.bad.append(BadImage(index, path, label, facts.problem))
            return
        self.modes[facts.mode] += 1
        self.kinds[facts.kind] += 1
        for remark in facts.remarks:
            count, files = self.remarks.get(remark, (0, []))
            self.remarks[remark] = count + 1, files if len(files) == _NAMED else [*files, path]

    def as_data(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return dict(
            split=self.split,
            dataset=self.dataset,
            images=self.images,
            files=self.files,
            modes=dict(self.modes.most_common()),
            formats=dict(self.kinds.most_common()),
            widths=_spread(self.sizes[:, 0]),
            heights=_spread(self.sizes[:, 1]),
            unusual={text: dict(images=count, such_as=files) for text, (count, files) in self.remarks.items()},
            labels=dict(unlabeled=self.unlabeled, images_by_label=self.counts, class_names=self.class_names),
            bad=[vars(image) for image in self.bad],
        )

    def __str__(self) -> str:
        how = f'{self.files:,} files decoded' if self.files else 'in memory'
        lines = [f'{self.split}: {self.dataset}, {self.images:,} images, {how}']
        for name, counter in (('mode', self.modes), ('format', self.kinds)):
            if counter:
                counts = ', '.join(f'{kind} {count:,}' for kind, count in counter.most_common())
                lines.append(f'  {name:8} {counts}')
        for name, lengths in (('width', self.sizes[:, 0]), ('height', self.sizes[:, 1])):
            if spread := _spread(lengths):
                lines.append(f'  {name:8} {spread["least"]} to {spread["most"]} px, median {spread["median"]:g}')
        for text, (count, files) in self.remarks.items():
            lines.append(f'  unusual  {text}: {count:,}, such as {", ".join(map(repr, files))}')
        return '\n'.join([*lines, *self._label_lines(), *self._bad_lines()])

    def _label_lines(self) -> list[str]:
        lines = [f'  labels   {self.unlabeled:,} images without one'] if self.unlabeled else []
        there = sorted((label for label, count in enumerate(self.counts) if count), key=self.counts.__getitem__)
        if not there:
            return lines
        least, most, images = self.counts[there[0]], self.counts[there[-1]], sum(self.counts)
        lines.append(f'  labels   {images:,} images of {len(there):,} classes, {least:,} to {most:,} each')
        if empty := len(self.counts) - len(there):
            lines.append(f'           {empty:,} of {len(self.counts):,} classes have no image')
        if len(there) <= _MOST_CLASSES:
            return lines + [self._bar(label, most) for label in sorted(there)]
        half = _MOST_CLASSES // 2  # the rarest, and the commonest
        rarest, commonest = ([self._bar(label, most) for label in part] for part in (there[:half], there[-half:]))
        return [*lines, *rarest, '           ...', *commonest]

    def _bar(self, label: int, most: int) -> str:
        name = f' {self.class_names[label]}' if self.class_names else ''
        bar = '#' * max(1, round(_BAR * self.counts[label] / most))
        return f'           {label:4}{name} {bar:{_BAR}} {self.counts[label]:,}'

    def _bad_lines(self) -> list[str]:
        if not self.bad:
            return ['  bad      none']
        lines = [f'  bad      {len(self.bad):,} of {self.images:,}:']
        lines += [f'    {image.file!r}: {image.problem}' for image in self.bad[:_MOST_BAD]]
        more = len(self.bad) - _MOST_BAD
        return lines + ([f'    and {more:,} more (--out DIR writes all)'] if more > 0 else [])


def count_labels(labels: np.ndarray, num_classes: int) -> tuple[list[int], int, np.ndarray]:
    """A histogram of labels.

    Args:
        labels: int64 (N,), -1 where unknown.
        num_classes: labels must lie below it; 0 where it is not known.

    Returns:
        Images of each of the labels 0, 1, ...; images without a label; indices of those whose label is no class.
    """
    outside = (labels < -1) | (labels >= (num_classes or np.inf))
    inside = labels[(labels >= 0) & ~outside]
    counts = np.bincount(inside, minlength=num_classes)
    return counts.tolist(), int((labels == -1).sum()), np.flatnonzero(outside)


def _spread(lengths: np.ndarray) -> dict[str, float]:
    known = lengths[lengths > 0]
    return dict(least=int(known.min()), median=float(np.median(known)), most=int(known.max())) if len(known) else {}
