"""Photos on disk: decoded once for all views, each view seeded by the sample."""

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
from torch.utils.data import Dataset
from torchvision.transforms.v2.functional import pil_to_tensor

from binssl.core.randomness import hash_counters, seeded_generators, split_keys, uniforms
from binssl.datasets.decode import UNREADABLE, read_array, read_image
from binssl.datasets.file_index import FileIndex
from binssl.datasets.folder_files import index_folder, index_tree
from binssl.datasets.list_files import index_list
from binssl.registry import DATASETS, FUNCTIONS, ConfigError, DataError
from binssl.views.array_batch import make_views
from binssl.views.build import ARRAY, ONE_IMAGE, build_views, kind_of_views

PLAIN_VIEW = (dict(type='torchvision/Resize', size=256), dict(type='torchvision/CenterCrop', size=224))
_REPLACEMENT_STREAM = -2  # views count from 0, the order of samples has -1


class ImageFiles(Dataset):
    """The images of an index, with views.

    A sample is asked for by (index, epoch), a bare index means epoch 0, and comes as ``images`` (a list with
    a uint8 tensor (3, H, W) per view), ``labels`` (-1 if unknown), ``indices``, and ``keys``: int64 (V,), the bits of
    each view's counter key. With views of arrays, a loader gets its batches ready made; its ``collate_fn`` is
    ``whole_batch``.

    An image that cannot be decoded is named in the log and replaced by another, which (seed, epoch, index)
    choose; ``indices`` stays what was asked for. Each process counts the bad images that it and its workers
    have met. Where that may not be, in a test, :func:`refuse_bad_images` makes it an error.

    Args:
        index: which files, with which labels.
        views: for each view a transform's config or a list of them, of PIL images (``torchvision/NAME``, to PIL image
            or uint8 tensor) or all of arrays (``PhotoCrop``, ..., three times as fast or more). None: one plain view,
            ``Resize`` 256 and ``CenterCrop`` 224 of PIL images.
        seed: augmentation depends on (seed, epoch, index) and the view's place in the list.
        most_bad_fraction: more bad images than this fraction of the set are an error. One alone never is.

    Attributes:
        classes: names of the class folders in the order of their labels; None where a list gives the labels.
        replaces_bad: whether another image stands in for one that cannot be decoded; else it is an error.
    """

    replaces_bad = True

    def __init__(
        self, index: FileIndex, views: Sequence | None = None, seed: int = 0, most_bad_fraction: float = 0.01
    ) -> None:
        name = type(self).__name__
        if not 0 <= most_bad_fraction <= 1:
            raise ConfigError(f'{name}: most_bad_fraction {most_bad_fraction} is a fraction, between 0 and 1')
        self.index, self.seed, self.most_bad_fraction = index, seed, most_bad_fraction
        self.classes = index.classes
        self.takes = ARRAY if kind_of_views(views) == ARRAY else ONE_IMAGE
        self.views = build_views([PLAIN_VIEW] if views is None else views, owner=name, takes=self.takes)
        # shared memory: the workers of a loader mark their finds for all
        self.bad = torch.zeros(len(index), dtype=torch.bool).share_memory_()

    @property
    def num_views(self) -> int:
        """Images that one sample has."""
        return len(self.views)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        indices, epochs = self._split([key])
        index, drawn = int(indices[0]), self._draw_keys(indices, epochs)
        photo, source = self.read(index, int(epochs[0]))
        if self.takes == ARRAY:
            images = [view[0] for view in make_views([photo], self.views, drawn, type(self).__name__)]
        else:
            images = [self._make_view(photo, int(own), place) for place, own in enumerate(drawn[0])]
        keys = torch.from_numpy(drawn[0].view(np.int64))
        return dict(images=images, labels=int(self.index.labels[source]), indices=index, keys=keys)

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any] | list[dict[str, Any]]:
        """The batch of ``keys``, made whole from arrays; the samples of PIL images, for the loader to stack."""
        return self._make_batch(keys) if self.takes == ARRAY else [self[key] for key in keys]

    def _make_view(self, image: Image.Image, key: int, stream: int) -> Tensor:
        with seeded_generators(key):
            view = self.views[stream](image)
        if isinstance(view, Image.Image):
            view = pil_to_tensor(view)
        if not isinstance(view, Tensor) or view.dtype != torch.uint8 or view.ndim != 3:
            raise ConfigError(
                f'view {stream} of {type(self).__name__} must be a PIL image or a uint8 tensor (3, H, W), '
                f'not {getattr(view, "dtype", type(view).__name__)}; the model normalises, not the data set'
            )
        return view

    def _make_batch(self, wanted: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of views of arrays."""
        indices, epochs = self._split(wanted)
        sources: list[int] = []

        def read_all() -> Iterator[np.ndarray]:
            for index, epoch in zip(indices.tolist(), epochs.tolist(), strict=True):
                photo, source = self.read(index, epoch)
                sources.append(source)
                yield photo

        drawn = self._draw_keys(indices, epochs)
        images = make_views(read_all(), self.views, drawn, type(self).__name__)
        return dict(
            images=images,
            labels=torch.from_numpy(self.index.labels[sources].astype(np.int64)),
            indices=torch.from_numpy(indices),
            keys=torch.from_numpy(drawn.view(np.int64)),
        )

    def _split(self, wanted: Sequence[int | tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        indices, epochs = split_keys(wanted)
        for index in indices[(indices < 0) | (indices >= len(self))]:
            raise IndexError(f'index {index} is not among the {len(self)} samples')
        return indices, epochs

    def _draw_keys(self, indices: np.ndarray, epochs: np.ndarray) -> np.ndarray:
        """The counter keys of each view, uint64 (N, V)."""
        keys = [hash_counters(self.seed, epochs, indices, stream) for stream in range(self.num_views)]
        return np.stack(keys, axis=1)

    def read(self, index: int, epoch: int) -> tuple[Any, int]:
        """The photo at ``index``, or the first readable one of those that replace it, and where it was.

        It is a PIL image, or an array uint8 (H, W, 3) where the views take arrays.

        Raises:
            DataError: too many cannot be decoded, or one where none is replaced.
        """
        decode = read_array if self.takes == ARRAY else read_image
        for source in self._sources(index, epoch):
            try:
                return decode(self.index.path(source)), source
            except UNREADABLE as error:
                if not self.replaces_bad:
                    raise DataError(_unreplaced(self.index.path(source), error)) from error
                self._note_bad(source, error)
        raise DataError(f'no readable image was found among 100 of {self.index.folder!r}')

    def _sources(self, index: int, epoch: int) -> Iterator[int]:
        """The image itself, then what replaces it: drawn at random, some may be bad too, and one may come twice."""
        yield index
        for draw in uniforms(hash_counters(self.seed, epoch, index, _REPLACEMENT_STREAM), 99)[0]:
            yield int(draw * len(self))

    def _note_bad(self, index: int, error: Exception) -> None:
        if self.bad[index]:
            return
        self.bad[index] = True
        count, path = int(self.bad.sum()), self.index.path(index)
        print_log(
            f'bad image {path!r} ({error}), replaced by another; {count} of {len(self)} so far',
            logger='current',
            level=WARNING,
        )
        if count > max(1, self.most_bad_fraction * len(self)):
            first = ', '.join(repr(self.index.path(int(bad))) for bad in self.bad.nonzero()[:3])
            message = (
                f'{count} of {len(self)} images cannot be decoded, more than '
                f'{self.most_bad_fraction:.1%}: {first}, ...; repair or remove them, or set most_bad_fraction'
            )
            print_log(message, logger='current', level=ERROR)
            raise DataError(message) from error


def _unreplaced(path: str, error: Exception) -> str:
    return (
        f'{path!r} cannot be decoded ({error}), and here no other image may stand in for it: repair it, or take it '
        'out of the list or folder'
    )


@FUNCTIONS.register_module()  # how the commands reach it
def refuse_bad_images(dataset: Any) -> None:
    """From now on an image that cannot be decoded is an error: a test would score another one in its place.

    Args:
        dataset: built; of one of parts (``bank`` and ``query``) or around another (``dataset``) all inside is meant. To
            be called before a loader starts its workers.
    """
    for part in ('bank', 'query', 'dataset'):
        if hasattr(dataset, part):
            refuse_bad_images(getattr(dataset, part))
    if isinstance(dataset, ImageFiles):
        dataset.replaces_bad = False


@DATASETS.register_module()
class ImageFolder(ImageFiles):
    """The images of ``folder/CLASS/IMAGE``, labelled by the class folders' alphabetical order.

    Args:
        folder: the folder of class folders.
        views, seed, most_bad_fraction: as in :class:`ImageFiles`.
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
        index = index_folder(folder, num_classes)
        super().__init__(index, views, seed, most_bad_fraction)
        self.num_classes = int(index.labels.max()) + 1 if num_classes is None else num_classes


@DATASETS.register_module()
class ImageList(ImageFiles):
    """The images that a list file names, in lines ``PATH`` or ``PATH LABEL``.

    Args:
        list_file: the list.
        folder: what its paths are relative to.
        views, seed, most_bad_fraction: as in :class:`ImageFiles`.
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
        index = index_list(list_file, [folder], num_classes)
        super().__init__(index, views, seed, most_bad_fraction)
        # a list without labels has -1 for all: 0 classes, which is to say that nothing is known of them
        self.num_classes = int(index.labels.max()) + 1 if num_classes is None else num_classes


@DATASETS.register_module()
class Unlabeled(ImageFiles):
    """Every image in a folder and the folders below it; no labels (-1).

    Files with other names than those of images are passed over, and so is what is hidden. Links to folders are
    followed, each folder is read once.

    Args:
        folder: the folder.
        views, seed, most_bad_fraction: as in :class:`ImageFiles`.

    Raises:
        DataError: if the folder is missing, cannot be read or holds no image.
    """

    def __init__(
        self, folder: str | Path, views: Sequence | None = None, seed: int = 0, most_bad_fraction: float = 0.01
    ) -> None:
        super().__init__(index_tree(folder), views, seed, most_bad_fraction)
        self.num_classes = 0  # nothing is known of them
