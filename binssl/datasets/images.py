"""Pictures with views: decoded once for all views, each view seeded by the sample; and sets of image files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from logging import ERROR, WARNING
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from binssl.core.randomness import hash_counters, seeded_generators, uniforms
from binssl.datasets.base import ImageDataset, make_batch, stack_keys
from binssl.datasets.decode import UNREADABLE, read_array, read_image
from binssl.datasets.file_index import FileIndex
from binssl.datasets.fingerprint import file_facts, fingerprint_of
from binssl.datasets.folder_files import index_folder, index_tree
from binssl.datasets.list_files import index_list
from binssl.registry import DATASETS, ConfigError, DataError, raised_within
from binssl.views.array_batch import make_views
from binssl.views.build import ARRAY, ONE_IMAGE, build_views, kind_of_views

PLAIN_VIEW = (dict(type='torchvision/Resize', size=256), dict(type='torchvision/CenterCrop', size=224))
_REPLACEMENT_STREAM = -2  # views count from 0, the order of samples has -1


class ViewedImages(ImageDataset):
    """Pictures that are decoded one by one, with views; with views of arrays, a loader gets its batches ready made.

    A picture that cannot be decoded is named in the log and replaced by another, which (seed, epoch, index) choose;
    ``indices`` stays what was asked for. Each process counts the bad ones that it and its workers have met. In a test,
    :meth:`refuse_bad` makes it an error.

    Args:
        length: how many there are.
        views: for each view a transform's config or a list of them, of PIL images (``torchvision/NAME``, to PIL image
            or uint8 tensor) or all of arrays (``PhotoCrop``, ..., three times as fast or more). None: one plain view,
            ``Resize`` 256 and ``CenterCrop`` 224 of PIL images.
        seed: of the augmentation.
        most_bad_fraction: more bad images than this fraction of the set are an error. One alone never is.

    Attributes:
        replaces_bad: whether another image stands in for one that cannot be decoded; else it is an error.
        takes: what the views take, ``ONE_IMAGE`` or ``ARRAY``.
    """

    replaces_bad = True

    def __init__(self, length: int, views: Sequence | None, seed: int, most_bad_fraction: float) -> None:
        if not 0 <= most_bad_fraction <= 1:
            raise ConfigError(f'{self.kind}: most_bad_fraction {most_bad_fraction} is a fraction, between 0 and 1')
        self.seed, self.most_bad_fraction = seed, most_bad_fraction
        self.takes = ARRAY if kind_of_views(views) == ARRAY else ONE_IMAGE
        self.views = build_views([PLAIN_VIEW] if views is None else views, owner=self.kind, takes=self.takes)
        # shared memory: the workers of a loader mark their finds for all
        self.bad = torch.zeros(length, dtype=torch.bool).share_memory_()

    def decode(self, index: int, epoch: int) -> tuple[Any, Any]:
        """The picture at ``index``, as the views take it, and its label; UNREADABLE where it cannot be decoded."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.bad)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        indices, epochs = self.split_keys([key])
        index, drawn = int(indices[0]), self.draw_keys(indices, epochs)
        photo, label, _ = self.read(index, int(epochs[0]))
        if self.takes == ARRAY:
            images = [view[0] for view in make_views([photo], self.views, np.stack(drawn, axis=1), self.kind)]
        else:
            images = [self._make_view(photo, int(own), place) for place, (own,) in enumerate(drawn)]
        labels = int(label) if np.ndim(label) == 0 else torch.from_numpy(label)
        return dict(images=images, labels=labels, indices=index, keys=stack_keys(drawn)[0])

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any] | list[dict[str, Any]]:
        """The batch of ``keys``, made whole from arrays; the samples of PIL images, for the loader to stack."""
        if self.takes != ARRAY:
            return [self[key] for key in keys]
        indices, epochs = self.split_keys(keys)
        labels: list[Any] = []

        def read_all() -> Iterator[np.ndarray]:
            for index, epoch in zip(indices.tolist(), epochs.tolist(), strict=True):
                photo, label, _ = self.read(index, epoch)
                labels.append(label)
                yield photo

        drawn = self.draw_keys(indices, epochs)
        images = make_views(read_all(), self.views, np.stack(drawn, axis=1), self.kind)
        return make_batch(images, np.array(labels), indices, drawn)

    def _make_view(self, image: Image.Image, key: int, stream: int) -> Tensor:
        try:
            with seeded_generators(key):
                view = self.views[stream](image)
        except (TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, ConfigError) or not raised_within(error, {'binssl'}):  # by a person's own transform
                raise
            told = f'view {stream} of {self.kind} cannot be made of {image.width} x {image.height} px'
            raise ConfigError(f'{told} ({error}): change its transforms') from error
        if isinstance(view, Image.Image):
            view = pil_to_tensor(view)
        if not isinstance(view, Tensor) or view.dtype != torch.uint8 or view.ndim != 3:
            rule = 'must be a PIL image or a uint8 tensor (3, H, W)'
            got = getattr(view, 'dtype', type(view).__name__)
            raise ConfigError(f'view {stream} of {self.kind} {rule}, not {got}; the model normalises, not the data set')
        return view

    def read(self, index: int, epoch: int) -> tuple[Any, Any, int]:
        """The picture at ``index``, or the first readable one of those that replace it, with its label and its place.

        It is a PIL image, or an array uint8 (H, W, 3) where the views take arrays.

        Raises:
            DataError: too many cannot be decoded, or one where none is replaced.
        """
        for source in self._sources(index, epoch):
            try:
                return *self.decode(source, epoch), source
            except ConfigError:  # the set is at fault, not this image
                raise
            except UNREADABLE as error:
                if not self.replaces_bad:
                    rule = 'and here no other may stand in for it: repair it, or take it out of the list or folder'
                    raise DataError(f'{self._place(source)!r} cannot be decoded ({error}), {rule}') from error
                self._note_bad(source, error)
        raise DataError(f'no readable image was found among 100 of {self.kind}, such as {self._place(index)!r}')

    def _sources(self, index: int, epoch: int) -> Iterator[int]:
        """The image itself, then what replaces it: drawn at random, some may be bad too, and one may come twice."""
        yield index
        for draw in uniforms(hash_counters(self.seed, epoch, index, _REPLACEMENT_STREAM), 99)[0]:
            yield int(draw * len(self))

    def _place(self, index: int) -> str:
        return self.path(index) or self.name(index)

    def _note_bad(self, index: int, error: Exception) -> None:
        if self.bad[index]:
            return
        self.bad[index] = True
        count = int(self.bad.sum())
        told = f'bad image {self._place(index)!r} ({error}), replaced by another; {count} of {len(self)} so far'
        print_log(told, logger='current', level=WARNING)
        if count > max(1, self.most_bad_fraction * len(self)):
            first = ', '.join(repr(self._place(int(bad))) for bad in self.bad.nonzero()[:3])
            told = f'{count} of {len(self)} images cannot be decoded, more than {self.most_bad_fraction:.1%}: {first}'
            told += f', ... (the last: {error}); repair or remove them, or set most_bad_fraction'
            print_log(told, logger='current', level=ERROR)
            raise DataError(told) from error

    def refuse_bad(self) -> None:
        self.replaces_bad = False


class ImageFiles(ViewedImages):
    """The images of an index, with views.

    Args:
        index: which files, with which labels.
        views, seed, most_bad_fraction: as of :class:`ViewedImages`.
        num_classes: labels lie below it. None: one more than the largest label, and 0, which is to say that nothing is
            known of them, where there are no labels.

    Attributes:
        classes: names of the class folders in the order of their labels; None where a list gives the labels.
    """

    labels: np.ndarray

    def __init__(
        self,
        index: FileIndex,
        views: Sequence | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(len(index), views, seed, most_bad_fraction)
        self.index, self.labels, self.classes = index, index.labels, index.classes
        self.num_classes = int(index.labels.max()) + 1 if num_classes is None else num_classes

    def decode(self, index: int, epoch: int) -> tuple[Any, Any]:
        read = read_array if self.takes == ARRAY else read_image
        return read(self.path(index)), self.labels[index]

    def name(self, index: int) -> str:
        return self.index.names[index]

    def path(self, index: int) -> str:
        return self.index.path(index)

    def original(self, index: int) -> Image.Image | None:
        try:
            return read_image(self.path(index))
        except UNREADABLE:
            return None

    def fingerprint(self) -> str:
        facts = file_facts([self.path(place) for place in range(len(self))], self.index.folder)
        several = dict(labels=self.labels) if self.labels.ndim > 1 else {}
        return fingerprint_of(*facts, self.index.labels, **several)


@DATASETS.register_module()
class ImageFolder(ImageFiles):
    """The images of ``folder/CLASS/IMAGE``, labelled by the class folders' alphabetical order.

    Args:
        folder: the folder of class folders.
        views, seed, most_bad_fraction: as of :class:`ViewedImages`.
        num_classes: more class folders than this are an error. None: as many as there are.
    """

    def __init__(
        self,
        folder: str | Path,
        views: Sequence | None = None,
        num_classes: int | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        super().__init__(index_folder(folder, num_classes), views, seed, most_bad_fraction, num_classes)


@DATASETS.register_module()
class ImageList(ImageFiles):
    """The images that a list file names, in lines ``PATH`` or ``PATH LABEL``.

    Args:
        list_file: the list.
        folder: what its paths are relative to.
        views, seed, most_bad_fraction: as of :class:`ViewedImages`.
        num_classes: labels must lie below it. None: one more than the largest label.
    """

    def __init__(
        self,
        list_file: str | Path,
        folder: str | Path,
        views: Sequence | None = None,
        num_classes: int | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        super().__init__(index_list(list_file, [folder], num_classes), views, seed, most_bad_fraction, num_classes)


@DATASETS.register_module()
class Unlabeled(ImageFiles):
    """Every image in a folder and the folders below it; no labels (-1).

    What is hidden or not named as an image is passed over. Links to folders are followed, each folder is read once.

    Args:
        folder: the folder.
        views, seed, most_bad_fraction: as of :class:`ViewedImages`.
    """

    def __init__(
        self, folder: str | Path, views: Sequence | None = None, seed: int = 0, most_bad_fraction: float = 0.01
    ) -> None:
        super().__init__(index_tree(folder), views, seed, most_bad_fraction)
