"""Any ``torch.utils.data.Dataset`` of (image, label) or of images, torchvision's among them."""

from __future__ import annotations

import hashlib
import inspect
import traceback
from collections.abc import Sequence
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
import torchvision.datasets
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from binssl.core.randomness import hash_counters, seeded_generators
from binssl.datasets.build import build_any_dataset
from binssl.datasets.decode import UNREADABLE, to_rgb
from binssl.datasets.file_index import UNKNOWN
from binssl.datasets.fingerprint import fingerprint_of
from binssl.datasets.images import ViewedImages
from binssl.registry import DATASETS, ConfigError, DataError, raised_within
from binssl.views.build import ARRAY

TORCHVISION = 'torchvision/'
_ITEM_STREAM = -3  # of what the set itself draws; views count from 0, replacements have -2

for _name, _kind in vars(torchvision.datasets).items():
    if inspect.isclass(_kind) and issubclass(_kind, Dataset):
        DATASETS.register_module(name=f'{TORCHVISION}{_name}', module=_kind)


@DATASETS.register_module()
class TorchDataset(ViewedImages):
    """The images of a map-style torch data set, with views, as those of files are.

    Its items are (image, label) or an image alone: a PIL image, or a uint8 array (H, W), (H, W, 3) or tensor (C, H, W).
    A label is a whole number, or None. What the set itself draws depends on (seed, epoch, index) too.

    What cannot be read (OSError, ValueError, RuntimeError, ...) is a bad image; any other error is the set's own.

    Labels and classes are taken from the set where it states them: ``targets``, ``labels`` or ``samples``,
    ``num_classes`` or ``classes``. Else, where they are asked for, every item is read once, and so it is for the
    fingerprint, unless the set has a method ``fingerprint() -> str``.

    Args:
        dataset: config of the set: ``torchvision/NAME``, a registered class, or ``MODULE.CLASS``.
        views, seed, most_bad_fraction: as in :class:`ViewedImages`.
        labels: False: there are none, whatever the items hold beside the image.
        num_classes: labels must lie below it. None: as many as the set states, or one more than the largest label.

    Raises:
        ConfigError: there is no such set, or an item is of another kind.
        DataError: torchvision does not find its files.
    """

    def __init__(
        self,
        dataset: dict,
        views: Sequence | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
        labels: bool = True,
        num_classes: int | None = None,
    ) -> None:
        try:
            self.dataset, self.labeled = build_any_dataset(dataset, seed), labels
        except (RuntimeError, OSError) as error:
            if not raised_within(error, {'binssl'}):  # by a person's own set
                raise
            raise DataError(f'{dataset.get("type")}: {error}') from error
        if not hasattr(self.dataset, '__getitem__') or not hasattr(self.dataset, '__len__'):
            raise ConfigError(f'{self.kind} has no length or no items by index: TorchDataset takes a map-style set')
        super().__init__(len(self.dataset), views, seed, most_bad_fraction)
        self._stated = self._find_labels() if labels else np.full(len(self), UNKNOWN)
        self._num_classes, classes = num_classes, getattr(self.dataset, 'classes', None)
        if labels and isinstance(classes, (list, tuple)) and all(isinstance(name, str) for name in classes):
            self.classes = list(classes)

    @property
    def kind(self) -> str:
        return type(self.dataset).__name__

    def _find_labels(self) -> np.ndarray | None:
        """The labels that the set states, int64 (N,)."""
        if getattr(self.dataset, 'target_transform', None) is not None:
            return None  # they would be those before it
        for name in ('targets', 'labels', '_labels', 'samples', '_samples'):
            found = getattr(self.dataset, name, None)
            if found is None or len(found) != len(self):
                continue
            if name.endswith('samples'):
                found = [item[1] if isinstance(item, (list, tuple)) and len(item) == 2 else None for item in found]
            found = np.asarray(found.cpu() if isinstance(found, Tensor) else found)
            if found.ndim == 1 and np.issubdtype(found.dtype, np.integer):
                return found.astype(np.int64)
        return None

    @property
    def labels(self) -> np.ndarray:  # type: ignore[override]  # read when they are first asked for
        """int64 (N,), -1 where unknown."""
        return self._survey[0] if self._stated is None else self._stated

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        if not self.labeled:
            return 0
        given = self._num_classes or getattr(self.dataset, 'num_classes', None) or len(self.classes or ())
        return int(given or self.labels.max(initial=UNKNOWN) + 1)

    @cached_property
    def _survey(self) -> tuple[np.ndarray, str]:
        """Every item read once: the labels, and the SHA-256 of the pixels."""
        print_log(f'{self.kind}: reading all {len(self):,} images once, for what it does not state', logger='current')
        labels, digest = np.full(len(self), UNKNOWN), hashlib.sha256()
        for index in range(len(self)):
            try:
                picture, labels[index] = self._item(index, 0, 0)
                digest.update(fingerprint_of(np.asarray(picture)).encode())
            except OSError as error:  # in training another one comes in its place, with its own label
                labels[index] = self.read(index, 0)[1]
                digest.update(str(error).encode())
        return labels, digest.hexdigest()

    def decode(self, index: int, epoch: int) -> tuple[Any, int]:
        picture, label = self._item(index, epoch, self.seed)
        if self._stated is not None and self.labeled and label not in (UNKNOWN, self._stated[index]):
            rule = 'its attributes must have the labels of its items'
            raise ConfigError(f'{self.name(index)} has label {label}, and the set states {self._stated[index]}: {rule}')
        return np.array(picture) if self.takes == ARRAY else picture, label

    def _item(self, index: int, epoch: int, seed: int) -> tuple[Image.Image, int]:
        """The picture as RGB, and its label; an OSError with the line where it was found that it cannot be read."""
        try:
            with seeded_generators(int(hash_counters(seed, epoch, index, _ITEM_STREAM)[0])):
                item = self.dataset[index]
            image, label = item if isinstance(item, (tuple, list)) and len(item) == 2 else (item, None)
            return self._picture(image), self._label(label)
        except (ConfigError, NotImplementedError, RecursionError):
            raise
        except (*UNREADABLE, RuntimeError) as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            raise OSError(f'{type(error).__name__}: {error}, {at.filename}:{at.lineno}') from error

    def _picture(self, image: Any) -> Image.Image:
        if isinstance(image, Image.Image):
            return to_rgb(image)
        pixels = image
        if isinstance(image, Tensor):
            pixels = (image.permute(1, 2, 0) if image.ndim == 3 else image).numpy()
        if isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8:
            if pixels.ndim == 3 and pixels.shape[2] == 1:
                pixels = pixels[..., 0]
            if pixels.ndim == 2 or pixels.shape[2:] == (3,):
                return Image.fromarray(np.ascontiguousarray(pixels)).convert('RGB')
        told = f'{type(image).__name__} {getattr(image, "dtype", "")} {getattr(image, "shape", "")}'.strip()
        raise ConfigError(
            f'an image of {self.kind} is a {told}; it must be a PIL image, or uint8: an array (H, W) or (H, W, 3), a '
            'tensor (C, H, W) of 1 or 3 channels. Leave out ToTensor and Normalize: the model normalises'
        )

    def _label(self, label: Any) -> int:
        if label is None or not self.labeled:
            return UNKNOWN
        if isinstance(label, (Tensor, np.ndarray)) and label.ndim == 0:
            label = label.item()
        if isinstance(label, Integral):
            return int(label)
        remedy = 'give the set a target_transform, or labels=False to train without labels'
        raise ConfigError(f'a label of {self.kind} is {label!r:.60}; it must be a whole number: {remedy}')

    def original(self, index: int) -> Image.Image | None:
        try:
            return self._item(index, 0, self.seed)[0]
        except OSError:
            return None

    def fingerprint(self) -> str:
        """See :class:`ImageDataset`; reads every image once."""
        own = getattr(self.dataset, 'fingerprint', None)
        return fingerprint_of(own().encode() if own else self._survey[1], labels=self.labels)
