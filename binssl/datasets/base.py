"""The contract of a data set: what the rest of the package may ask of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mmengine.registry as roots
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from binssl.core.randomness import hash_counters, split_keys
from binssl.datasets.file_index import UNKNOWN
from binssl.datasets.fingerprint import fingerprint_of
from binssl.registry import FUNCTIONS, ConfigError, DataError


@roots.FUNCTIONS.register_module()  # the Runner looks collate functions up in the root, whatever the scope
@FUNCTIONS.register_module()
def whole_batch(batch: dict | list[dict]) -> dict[str, Any]:
    """The batch as it is where the data set made it whole (``__getitems__``), else its samples, stacked.

    ``images``: a list of V uint8 tensors (3, H, W) a sample becomes a list of V tensors (N, 3, H, W);
    ``labels`` and ``indices`` become int64 (N,), ``keys`` int64 (N, V).
    """
    return batch if isinstance(batch, dict) else default_collate(batch)


class ImageDataset(Dataset):
    """What every data set says of itself.

    A sample is asked for by (index, epoch), a bare index means epoch 0, and is a dict of ``images`` (a list with a
    uint8 tensor (3, H, W) per view), ``labels`` (an int, -1 if unknown, or int8 (C,)), ``indices``, and ``keys``: int64
    (V,), the bits of each view's counter key, for what is left to the device. A set that makes whole batches overrides
    :meth:`__getitems__`; the ``collate_fn`` of a loader is ``whole_batch`` for all.

    Attributes:
        views: what makes each view of a sample, one an entry.
        seed: what is drawn depends on (seed, epoch, index) and the view's place in the list.
        split: which part of a published set this is; '' where there are none.
        labels: int64 (N,), -1 where unknown, or int8 (N, C) of C classes that an image may have together: 1, -1 for a
            class that is not there, 0 for neither. None where no image has one label, or several of so many.
        num_classes: labels lie below it. None or 0 where nothing is known of them.
        classes: their names, where they have some.
        images: all pixels of a set in memory, uint8 (N, 3, H, W) or gray (N, H, W); None of another.
    """

    views: Sequence[Any] = (None,)
    seed: int = 0
    split: str = ''
    labels: np.ndarray | None = None
    num_classes: int | None = None
    classes: Sequence[str] | None = None
    images: np.ndarray | Tensor | None = None

    @property
    def kind(self) -> str:
        """The name of its type, which messages call it by."""
        return type(self).__name__

    @property
    def num_views(self) -> int:
        """Images that one sample has."""
        return len(self.views)

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        raise NotImplementedError

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> Any:
        """What a loader asks for: the batch of ``keys``, made whole, or else the list of samples."""
        return [self[key] for key in keys]

    def batch(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``, as a loader hands it over."""
        return whole_batch(self.__getitems__(keys))

    def split_keys(self, keys: Sequence[int | tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Indices and epochs, int64 (N,), of what is asked for.

        Raises:
            IndexError: there is no such sample.
        """
        indices, epochs = split_keys(keys)
        for index in indices[(indices < 0) | (indices >= len(self))]:
            raise IndexError(f'index {index} is not among the {len(self)} samples')
        return indices, epochs

    def draw_keys(self, indices: np.ndarray, epochs: np.ndarray) -> list[np.ndarray]:
        """The counter keys of each view, V x uint64 (N,)."""
        return [hash_counters(self.seed, epochs, indices, stream) for stream in range(self.num_views)]

    def name(self, index: int) -> str:
        """What an original is called: its file, or set, split and place, as in ``Digits fit 17``."""
        return ' '.join(filter(None, [self.kind, self.split, str(index)]))

    def path(self, index: int) -> str | None:
        """The file that holds an original; None for pixels in memory."""
        return None

    def original(self, index: int) -> Image.Image | None:
        """The upright RGB picture that views are made of; None where it cannot be decoded.

        Raises:
            ConfigError: the set keeps no originals.
        """
        if self.images is None:
            told = 'keeps neither a list of files nor images in memory: its originals cannot be shown'
            raise ConfigError(f'{self.kind} {told}; name the set that it is made from')
        levels = torch.as_tensor(self.images[index]).cpu().round().clamp(0, 255).to(torch.uint8).numpy()
        return Image.fromarray(levels if levels.ndim == 2 else levels.transpose(1, 2, 0)).convert('RGB')

    def single_labels(self) -> np.ndarray:
        """int64 (N,): the class of each image, -1 where it is unknown or there may be several."""
        labels = self.labels
        return np.full(len(self), UNKNOWN) if labels is None or labels.ndim > 1 else labels.astype(np.int64)

    def class_name(self, label: int) -> str | None:
        """The name of a class, where it has one."""
        return self.classes[label] if self.classes and 0 <= label < len(self.classes) else None

    def refuse_bad(self) -> None:
        """From now on an image that cannot be decoded is an error: a test would score another one in its place.

        To be called before a loader starts its workers.
        """

    def fingerprint(self) -> str:
        """The SHA-256 of images and labels, in their order: what is computed of a set is kept and found again by it.

        Views do not enter. Of pixels in memory it is their bytes; of image files names (relative to their folder),
        labels, sizes and times of the last change: a set that is moved or linked elsewhere stays the same one, a file
        that is written again makes another.

        Raises:
            DataError: a file is gone, or there is nothing to know the set by.
        """
        if self.images is None:
            told = 'has neither files nor pixels in memory to know it again by'
            raise DataError(f'{self.kind} {told}: give it a method fingerprint()')
        return fingerprint_of(images=self.images, labels=self.labels)


def make_batch(
    images: Sequence[Tensor], labels: np.ndarray | Tensor, indices: np.ndarray, keys: Sequence[np.ndarray]
) -> dict[str, Any]:
    """A whole batch; ``keys`` are V x uint64 (N,)."""
    return dict(
        images=list(images), labels=torch.as_tensor(labels), indices=torch.from_numpy(indices), keys=stack_keys(keys)
    )


def stack_keys(keys: Sequence[np.ndarray]) -> Tensor:
    """The counter keys of a batch, for what is drawn later: V x uint64 (N,) -> int64 (N, V) with the same bits."""
    return torch.from_numpy(np.stack(keys, axis=1).view(np.int64))


class BatchedDataset(ImageDataset):
    """A data set that makes whole batches; a sample is a batch of one."""

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        batch = dict(self.__getitems__([key]))
        images = [view[0] for view in batch.pop('images')]
        first = {name: values[0] for name, values in batch.items()}
        return dict(images=images, **{name: value if value.ndim else value.item() for name, value in first.items()})

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """A batch as :func:`make_batch` makes it."""
        raise NotImplementedError


class DerivedDataset(ImageDataset):
    """A data set whose samples are those of others, its ``parts``."""

    parts: tuple[ImageDataset, ...]

    def locate(self, index: int) -> tuple[ImageDataset, int]:
        """The part that has a sample, and its place there."""
        return self.parts[0], index

    @property
    def num_views(self) -> int:
        return self.parts[0].num_views

    def name(self, index: int) -> str:
        part, place = self.locate(index)
        return part.name(place)

    def path(self, index: int) -> str | None:
        part, place = self.locate(index)
        return part.path(place)

    def original(self, index: int) -> Image.Image | None:
        part, place = self.locate(index)
        return part.original(place)

    def refuse_bad(self) -> None:
        for part in self.parts:
            part.refuse_bad()

    def fingerprint(self) -> str:
        return fingerprint_of(*(part.fingerprint() for part in self.parts))
