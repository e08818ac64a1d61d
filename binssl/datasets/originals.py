"""What the samples of a data set are made from: image files, or pixels in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

from binssl.datasets.file_index import UNKNOWN
from binssl.datasets.images import UNREADABLE, read_image
from binssl.registry import FUNCTIONS, ConfigError


@FUNCTIONS.register_module()  # how the commands reach it
class Originals:
    """The originals of any data set of ours: names, labels and pictures before any view is made.

    Where a set has parts (``BankAndQuery``), indices count through all of them.

    Args:
        dataset: has an ``index`` of files, or ``images`` uint8 (N, 3, H, W) or gray (N, H, W) with ``labels`` (N,),
            or a ``bank`` and a ``query`` that have.

    Attributes:
        labels: int64 (N,), -1 where unknown or where an image has several.
        num_classes: labels lie below it; 0 where nothing is known of them.
        files: int64, the indices of those that have a file; the others' pixels are in memory.

    Raises:
        ConfigError: a set that has neither files nor images.
    """

    def __init__(self, dataset: Any) -> None:
        self._parts = [dataset.bank, dataset.query] if hasattr(dataset, 'bank') else [dataset]
        for part in self._parts:
            if not hasattr(part, 'index') and not hasattr(part, 'images'):
                raise ConfigError(
                    f'{type(part).__name__} keeps neither a list of files nor images in memory: its '
                    'originals cannot be shown; name the set that it is made from'
                )
        self._ends = np.cumsum([len(part) for part in self._parts])
        self.labels = np.concatenate([_labels(part) for part in self._parts])
        self.num_classes = max(getattr(part, 'num_classes', None) or 0 for part in self._parts)
        ranges = zip(self._parts, [0, *self._ends[:-1]], self._ends, strict=True)
        self.files = np.concatenate(
            [np.arange(start, end if hasattr(part, 'index') else start) for part, start, end in ranges]
        )

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, index: int) -> str:
        """The file's name in its data set, or, for pixels in memory, set, split and place: ``Digits fit 17``."""
        part, offset = self._find(index)
        if hasattr(part, 'index'):
            return part.index.names[offset]
        return f'{type(part).__name__} {getattr(part, "split", "")} {offset}'.replace('  ', ' ')

    def path(self, index: int) -> str | None:
        """Where the file is; None for pixels in memory."""
        part, offset = self._find(index)
        return part.index.path(offset) if hasattr(part, 'index') else None

    def image(self, index: int) -> Image.Image | None:
        """The upright RGB picture that views are made of; None where its file cannot be decoded."""
        path = self.path(index)
        if path is None:
            part, offset = self._find(index)
            return _as_picture(part.images[offset])
        try:
            return read_image(path)
        except UNREADABLE:
            return None

    def size(self, index: int) -> tuple[int, int]:
        """Width and height of pixels in memory."""
        part, offset = self._find(index)
        height, width = part.images[offset].shape[-2:]
        return width, height

    def class_name(self, label: int) -> str | None:
        """The class folder that made a label, where one did."""
        classes = getattr(self._parts[0], 'classes', None)
        return classes[label] if classes and 0 <= label < len(classes) else None

    def _find(self, index: int) -> tuple[Any, int]:
        """The part that has the ``index``-th sample, and its place there."""
        if not 0 <= index < len(self):
            raise IndexError(f'index {index} is not among the {len(self)} samples')
        place = int(np.searchsorted(self._ends, index, side='right'))
        return self._parts[place], index - int(self._ends[place - 1] if place else 0)


def _labels(part: Any) -> np.ndarray:
    labels = getattr(part, 'labels', getattr(getattr(part, 'index', None), 'labels', None))
    if labels is None or labels.ndim > 1:
        return np.full(len(part), UNKNOWN)
    return np.asarray(torch.as_tensor(labels).cpu(), dtype=np.int64)


def _as_picture(pixels: np.ndarray | torch.Tensor) -> Image.Image:
    levels = torch.as_tensor(pixels).cpu().round().clamp(0, 255).to(torch.uint8).numpy()
    return Image.fromarray(levels if levels.ndim == 2 else levels.transpose(1, 2, 0)).convert('RGB')
