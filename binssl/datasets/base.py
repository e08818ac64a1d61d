"""The contract of a data set, and the building of one from its config."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from logging import WARNING
from pathlib import Path
from typing import Any

import mmengine.registry as roots
import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from binssl.core.randomness import hash_counters, split_keys
from binssl.datasets.file_index import UNKNOWN
from binssl.registry import DATASETS, FUNCTIONS, ConfigError, DataError, nearest_names


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


class PlainDataset(ImageDataset):
    """A registered set that gives dicts as ours do and knows nothing of the contract; what it has of it, it keeps.

    It is asked for plain indices. One that draws by the epoch derives from :class:`ImageDataset`, and is asked for
    (index, epoch).
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        for name in ('split', 'labels', 'num_classes', 'classes', 'images'):
            if getattr(dataset, name, None) is not None:
                setattr(self, name, getattr(dataset, name))
        if self.labels is not None:
            self.labels = np.asarray(torch.as_tensor(self.labels).cpu())

    @property
    def kind(self) -> str:
        return type(self.dataset).__name__

    @property
    def num_views(self) -> int:
        images = self[0]['images']
        return 1 if isinstance(images, Tensor) else len(images)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        (index,), _ = self.split_keys([key])
        sample = self.dataset[int(index)]
        if not isinstance(sample, dict) or 'images' not in sample:
            rule = 'not a dict with images, labels and indices: a set of (image, label) is named inside another'
            remedy = f"dict(type='TorchDataset', dataset=dict(type={self.kind!r}, ...), views=[...])"
            raise ConfigError(f'{self.kind} gives {type(sample).__name__}, {rule}, {remedy}')
        return sample

    def fingerprint(self) -> str:
        """See :class:`ImageDataset`; from the set's own ``fingerprint()`` where it has one."""
        own = getattr(self.dataset, 'fingerprint', None)
        return hashlib.sha256(own().encode()).hexdigest() if own else super().fingerprint()


def build_dataset(config: Any, seed: int | None = None) -> ImageDataset:
    """A data set from its config; one that knows nothing of the contract comes as a :class:`PlainDataset`.

    ``seed`` is for a set that takes one and whose config names none.

    Raises:
        ConfigError: no such set, or stray or missing keys.
    """
    dataset = build_any_dataset(config, seed)
    return dataset if isinstance(dataset, ImageDataset) else PlainDataset(dataset)


def build_any_dataset(config: Any, seed: int | None = None) -> Any:
    """As :func:`build_dataset`, as it comes: also what gives no samples like ours."""
    DATASETS.check(config)
    part: Any = DATASETS.get(config['type']) if isinstance(config['type'], str) else config['type']
    takes_seed = seed is not None and 'seed' in inspect.signature(part).parameters
    return DATASETS.build(dict(config), default_args=dict(seed=seed) if takes_seed else None)


def check_same_classes(first: ImageDataset, second: ImageDataset, first_name: str, second_name: str) -> None:
    """Compare the ``classes`` of two data sets, or else their ``num_classes``; what one of them lacks is not compared.

    Raises:
        ConfigError: they differ, told by the names that the config has for them. From the first difference on, a label
            would not mean the same in both.
    """
    if first.classes and second.classes:
        for label, pair in enumerate(zip_longest(first.classes, second.classes)):
            if pair[0] != pair[1]:
                one, other = ('none' if name is None else repr(name) for name in pair)
                raise ConfigError(
                    f'{first_name} and {second_name} have different class folders ({len(first.classes)} and '
                    f'{len(second.classes)}): label {label} is {one} in {first_name} and {other} in {second_name}. '
                    "Give both the same class folders, or the labels by lists of images (type='ImageList')"
                )
    elif first.num_classes and second.num_classes and first.num_classes != second.num_classes:
        both = f'{first_name} has {first.num_classes} classes and {second_name} {second.num_classes}'
        remedy = 'a list of images that lacks the last classes must be given num_classes'
        raise ConfigError(f'{both}: their labels would not mean the same. Use sets of the same classes; {remedy}')


def check_split(owner: str, split: str, known: Iterable[str]) -> None:
    """Raise a ConfigError unless ``split`` is one of the ``known`` ones of the data set ``owner``."""
    if split not in known:
        raise ConfigError(f'{owner} has no split {split!r}; {nearest_names(split, known)}')


def warn_of_size(
    owner: str, root: Path, split: str, found: int, published: int, remedy: str = 'remove it and use --download'
) -> None:
    """Log a warning where a split has another number of images than was published: made smaller, or cut off."""
    if found != published:
        told = f'{owner}: {split} in {os.fspath(root)!r} has {found:,} images, the published one {published:,}'
        cut = f'If it was not made smaller on purpose, it is cut off: {remedy}'
        print_log(f'{told}. {cut}', logger='current', level=WARNING)


def fingerprint_of(*parts: Any, **arrays: Any) -> str:
    """The SHA-256 of parts (bytes, hex digits that stand for some, or arrays), then of the named arrays that are not
    None, each after its name; of arrays, numpy's or torch's, dtype and shape count.
    """
    digest = hashlib.sha256()
    named = (part for name, values in arrays.items() if values is not None for part in (name.encode(), values))
    for part in (*parts, *named):
        if isinstance(part, (bytes, str)):
            digest.update(bytes.fromhex(part) if isinstance(part, str) else part)
        else:
            array = np.ascontiguousarray(part.cpu().numpy() if isinstance(part, Tensor) else part)
            digest.update(f'{array.dtype.str}{array.shape}'.encode())
            digest.update(array.data)
    return digest.hexdigest()


def file_facts(paths: Sequence[str], folder: str) -> tuple[bytes, np.ndarray]:
    """Names relative to ``folder``; sizes and times of the last change, int64 (N, 2).

    Raises:
        DataError: a file is gone.
    """
    names, facts = [], np.empty((len(paths), 2), dtype=np.int64)
    for place, path in enumerate(paths):
        try:
            found = os.stat(path)
        except OSError as error:
            told = 'the data set was changed since it was indexed'
            raise DataError(f'{path!r} cannot be read: {error.strerror}; {told}') from error
        facts[place] = found.st_size, found.st_mtime_ns
        names.append(os.fsencode(os.path.relpath(path, folder)) + b'\0')
    return b''.join(names), facts
