"""Rows of features, computed by several processes into the same files."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch.utils.data import DataLoader

from binssl.core.processes import processes_here
from binssl.datasets import ImageDataset, whole_batch
from binssl.engine.preflight_data import loader_problems
from binssl.evaluation import EvaluationError
from binssl.features.layers import LayerReader
from binssl.registry import ConfigError

LABELS = 'labels'
MOST_WORKERS = 4
SECONDS_BETWEEN_LINES = 20.0
IMAGES_TRIED, EPOCHS_TRIED = 4, 12


def check_plain_views(data: ImageDataset) -> None:
    """Make some images in several epochs, in which a random view differs.

    Raises:
        ConfigError: the set is empty, an image has several views, or another in another epoch.
    """
    name = data.kind
    if not len(data):
        raise ConfigError(f'{name} has no image: there are no features to compute')
    if data.num_views != 1:
        raise ConfigError(f'{name} gives {data.num_views} views of an image; features are of one: change its views')
    for index in range(0, len(data), -(-len(data) // IMAGES_TRIED)):
        first = _first_view(data[(index, 0)])
        for epoch in range(1, EPOCHS_TRIED):
            if not torch.equal(_first_view(data[(index, epoch)]), first):
                raise ConfigError(
                    f'the views of {name} are random (image {index} looks otherwise in epoch {epoch}), '
                    'and features are computed once: take the views of the validation, as '
                    'tools/extract_features.py does with --views-of val'
                )


def _first_view(batch: Mapping[str, Any]) -> Tensor:
    return batch['images'] if isinstance(batch['images'], Tensor) else batch['images'][0]


class RowFile:
    """A ``.npy`` of so many rows, each of which some process writes.

    Written by position, not through mapped memory: processes on several machines may share a folder, and the pages of
    their rows would overlap.

    Args:
        path: made by :meth:`create`.
    """

    def __init__(self, path: Path) -> None:
        header: Any = np.load(path, mmap_mode='r')
        self._start, self._row_bytes = header.offset, int(header.strides[0])
        self._dtype = header.dtype
        self._file = path.open('r+b', buffering=0)

    @staticmethod
    def create(path: Path, length: int, like: np.ndarray) -> None:
        """The file with ``length`` zero rows such as those of ``like``; its disk space is taken as rows come."""
        np.lib.format.open_memmap(path, mode='w+', dtype=like.dtype, shape=(length, *like.shape[1:]))

    def write(self, first: int, rows: np.ndarray) -> None:
        """Put ``rows`` at the place of the ``first`` of them."""
        content = np.ascontiguousarray(rows, dtype=self._dtype).data.cast('B')
        place = self._start + first * self._row_bytes
        while content:
            written = os.pwrite(self._file.fileno(), content, place)
            content, place = content[written:], place + written

    def close(self) -> None:
        """No more rows come; whether all have reached the disk is seen by the hash, should the power go."""
        self._file.close()


class RowMaker:
    """The rows of a data set's images: features of each layer, and labels.

    Args:
        reader: which layers of which network.
        data: the data set.
        device: where the network is.
    """

    def __init__(self, reader: LayerReader, data: ImageDataset, device: torch.device) -> None:
        self.reader, self.data, self.device = reader, data, device

    def first_rows(self) -> dict[str, np.ndarray]:
        """The rows (1, ...) of the first image, by the names of their files.

        Raises:
            ConfigError: a layer is not there, or the images do not fit the network or have sizes of their own.
        """
        batch = self.data.batch([0])
        if batch['images'][0].ndim == 3:  # (3, H, W): an image, not a batch of one view
            raise ConfigError(
                f'{self.data.kind} gives images of their own sizes, and features are computed '
                'of batches of one size: take a set with views, such as VOC07 or ImageFolder'
            )
        return self._rows(batch, first=0)

    def write(self, folder: Path, names: Iterable[str], batch_size: int, num_workers: int | None) -> None:
        """Compute this process's share, every so many-th batch, and put it into the files of ``folder``.

        Raises:
            EvaluationError: features that are not finite.
        """
        files = {name: RowFile(folder / f'{name}.npy') for name in names}
        total, told = len(self.data), time.monotonic()
        for first, batch in self._batches(batch_size, num_workers):
            for name, rows in self._rows(batch, first).items():
                files[name].write(first, rows)
            if get_rank() == 0 and time.monotonic() - told > SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                print(f'features of {first + batch_size:,} of {total:,} images', file=sys.stderr, flush=True)
        for file in files.values():
            file.close()

    def _batches(self, batch_size: int, num_workers: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
        starts = range(0, len(self.data), batch_size)[get_rank() :: get_world_size()]
        places = [list(range(start, min(start + batch_size, len(self.data)))) for start in starts]
        workers = num_workers
        if workers is None:  # none for pixels in memory, else a share of the cores, where so many batches are there
            cores = len(os.sched_getaffinity(0)) // processes_here()
            on_disk = self.data.images is None
            workers = min(MOST_WORKERS, cores, -(-len(self.data) // batch_size)) if on_disk else 0
        options: dict[str, Any] = dict(num_workers=workers, batch_size=batch_size)
        if problems := loader_problems('the loader of features', options, self.data, processes_here()):
            raise ConfigError('; '.join(problems))
        loader: Any = DataLoader(
            self.data, batch_sampler=places, num_workers=workers, collate_fn=whole_batch, generator=torch.Generator()
        )
        return zip(starts, loader, strict=True)

    @torch.inference_mode()
    def _rows(self, batch: Mapping[str, Any], first: int) -> dict[str, np.ndarray]:
        images = _first_view(self.reader.model.data_preprocessor({'images': batch['images']}, False)).to(self.device)
        rows = {name: values.cpu().numpy() for name, values in self.reader.read(images).items()}
        for name, values in rows.items():
            if not np.isfinite(values).all():
                raise EvaluationError(
                    f'{name}: features of images from {first} on are not finite: the network '
                    'diverged or its weights are damaged'
                )
        labels = torch.as_tensor(batch['labels']).cpu().numpy()
        return {**rows, LABELS: labels.astype(np.int64 if labels.ndim == 1 else np.int8)}
