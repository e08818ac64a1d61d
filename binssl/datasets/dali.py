"""Photos decoded, cropped and mirrored by NVIDIA's DALI, an optional library, a batch at a time, on a GPU or a CPU.

DALI draws nothing itself: what is cropped and mirrored comes from our counters, as for one image at a time.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from logging import WARNING
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from binssl.core.randomness import hash_counters, split_keys
from binssl.datasets.batched import BatchedDataset, stack_keys
from binssl.datasets.dali_pipeline import CropAndFlip, CropPipeline, import_dali
from binssl.datasets.decode import UNREADABLE
from binssl.datasets.images import ImageFiles
from binssl.registry import DATASETS, ConfigError

_ORIENTATION = 0x0112  # EXIF's tag
_UPRIGHT = 1


class EncodedPhoto(NamedTuple):
    """A file that DALI decodes as we do: its bytes, its height and width, and where it is in the data set."""

    content: np.ndarray
    height: int
    width: int
    source: int


@DATASETS.register_module()
class DaliImages(BatchedDataset):
    """The photos of another data set, with its views and its seeds, made by DALI a batch at a time.

    Views may crop (``PhotoCrop``) and mirror (``PhotoFlip``). Boxes and flips are those that the data set itself draws
    from (seed, epoch, index). On a CPU grey levels are within 2 of its own, but for the outermost pixels of antialiased
    crops (up to 7 in photos): beyond the edge DALI repeats it, where Pillow and torch weigh what there is. Colours
    and blur are the batch part's, ``model.data_preprocessor.views``: DALI's hue is another one than torchvision's.

    A file that is no upright RGB JPEG, or that DALI cannot decode, is the data set's to decode or to replace. One that
    DALI fails on is found by trying the batch's photos one by one, named in the log, and never given to DALI again.

    With ``device='gpu'`` (not yet run on one) the views come to lie there: the loader must then have ``num_workers=0``
    and ``pin_memory=False``. On a CPU (run with DALI 2.4, in workers too) it takes 2.6 times the data set's own time.

    Args:
        dataset: config of the photos: ``dict(type='ImageNet', ...)`` or another set of image files.
        device: 'gpu' or 'cpu', where DALI decodes and crops.
        threads: of DALI, in each process that loads.
        seed: handed to the data set where its config names none.

    Raises:
        ConfigError: DALI is not installed, the views hold something else, or this is no set of image files.
    """

    def __init__(self, dataset: dict, device: str = 'gpu', threads: int = 4, seed: int = 0) -> None:
        if device not in ('gpu', 'cpu'):
            raise ConfigError(f"DaliImages: device {device!r} is neither 'gpu' nor 'cpu'")
        if threads < 1:
            raise ConfigError(f'DaliImages: threads {threads} must be at least 1')
        import_dali()
        self.dataset = DATASETS.build(dataset, default_args=dict(seed=seed))
        if not isinstance(self.dataset, ImageFiles):
            raise ConfigError(f'DaliImages reads image files; {dataset["type"]} has none, and needs no decoder')
        self.views = [CropAndFlip(view) for view in self.dataset.views]
        self.device, self.threads, self.seed = device, threads, self.dataset.seed
        self.index, self.classes = self.dataset.index, self.dataset.classes
        self.num_classes = getattr(self.dataset, 'num_classes', None)
        # shared memory, as the data set's own list of bad ones: what DALI cannot decode
        self.odd = torch.zeros(len(self.dataset), dtype=torch.bool).share_memory_()
        self._pipeline: CropPipeline | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, _pipeline=None)  # a process builds its own

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        """The batch of ``keys``."""
        if self.device == 'gpu' and get_worker_info() is not None:
            raise ConfigError("DaliImages(device='gpu') works in the training process: set num_workers=0")
        indices, epochs = split_keys(keys)
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(self):
            raise IndexError(f'an index of {indices.tolist()} is not among the {len(self)} samples')
        streams = [hash_counters(self.seed, epochs, indices, stream) for stream in range(self.num_views)]
        samples = list(zip(indices.tolist(), epochs.tolist(), strict=True))
        photos = [self._open(*sample) for sample in samples]
        try:
            images = self._make_views(photos, streams)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:  # a photo that DALI cannot decode ends its pipeline, and is not named
            self._note_odd(photos, streams, error)
            photos = [self._open(*sample) for sample in samples]
            images = self._make_views(photos, streams)
        labels = self.index.labels[[photo.source for photo in photos]]
        return dict(
            images=images,
            labels=torch.from_numpy(labels.astype(np.int64)),
            indices=torch.from_numpy(indices),
            keys=stack_keys(streams),
        )

    def _make_views(self, photos: Sequence[EncodedPhoto], keys: Sequence[np.ndarray]) -> list[Tensor]:
        forked = CropPipeline.used_by != os.getpid()
        if self._pipeline is None or forked or self._pipeline.most < len(photos):
            self._pipeline = CropPipeline(self.views, len(photos), self.device, self.threads)
        heights, widths = (np.array([getattr(photo, side) for photo in photos]) for side in ('height', 'width'))
        drawn = [view.draw(own, heights, widths) for view, own in zip(self.views, keys, strict=True)]
        return self._pipeline.run([photo.content for photo in photos], drawn)

    def _note_odd(self, photos: Sequence[EncodedPhoto], keys: Sequence[np.ndarray], error: RuntimeError) -> None:
        """Marks the photos that DALI fails on alone; ``error``, the batch's, goes on where it is not a photo's."""
        self._pipeline, found = None, False
        for place, photo in enumerate(photos):
            try:
                self._make_views([photo], [own[place : place + 1] for own in keys])
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError as own_error:
                self._pipeline, found = None, True
                self.odd[photo.source] = True
                reason = ' '.join(str(own_error).rpartition('encountered:')[2].split())
                print_log(
                    f'DALI cannot decode {self.index.path(photo.source)!r} ({reason}): left to the data set',
                    logger='current',
                    level=WARNING,
                )
        if not found:
            raise error

    def _open(self, index: int, epoch: int) -> EncodedPhoto:
        """The file's own bytes where DALI makes of them what we do."""
        if not (self.odd[index] or self.dataset.bad[index]):
            try:
                content = np.fromfile(self.index.path(index), dtype=np.uint8)
                with Image.open(io.BytesIO(content.data)) as image:  # reads the header alone
                    orientation = image.getexif().get(_ORIENTATION, _UPRIGHT) if 'exif' in image.info else _UPRIGHT
                    if (image.format, image.mode, orientation) == ('JPEG', 'RGB', _UPRIGHT):
                        return EncodedPhoto(content, image.height, image.width, index)
            except UNREADABLE:
                pass  # the data set says so, below
        return self._decode(index, epoch)

    def _decode(self, index: int, epoch: int) -> EncodedPhoto:
        """The photo as the data set decodes or replaces it, without loss in a format that costs nothing."""
        image, source = self.dataset.read(index, epoch)
        pixels = np.asarray(image)
        _, content = cv2.imencode('.bmp', pixels[..., ::-1])
        return EncodedPhoto(content.ravel(), pixels.shape[0], pixels.shape[1], source)
