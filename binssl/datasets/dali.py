"""Photos decoded, cropped and mirrored by NVIDIA's DALI, an optional library, a batch at a time, on a GPU or a CPU.

DALI draws nothing itself: what is cropped and mirrored comes from our counters, as for one image at a time.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from binssl.datasets.array_transforms import PhotoCrop, PhotoFlip
from binssl.datasets.batched import BatchedDataset, stack_keys
from binssl.datasets.counter import derive_keys, hash_counters, split_keys
from binssl.datasets.decode import UNREADABLE
from binssl.datasets.draws import draw_crops, draw_mask
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


class Drawn(NamedTuple):
    """Boxes and flips of N photos, int32: corners (N, 2), row and column; heights and widths (N, 2); 0 or 1 (N,)."""

    starts: np.ndarray
    shapes: np.ndarray
    mirrored: np.ndarray


@DATASETS.register_module()
class DaliImages(BatchedDataset):
    """The photos of another data set, with its views and its seeds, made by DALI a batch at a time.

    Views may crop (``PhotoCrop``) and mirror (``PhotoFlip``). Boxes and flips are those that the data set itself draws
    from (seed, epoch, index). On a CPU grey levels are within 2 of its own, but for the outermost pixels of antialiased
    crops (up to 7 in photos): beyond the edge DALI repeats it, where Pillow and torch weigh what there is. Colours
    and blur are the batch part's, ``model.data_preprocessor.views``: DALI's hue is another one than torchvision's.

    A file that is no upright RGB JPEG, or that DALI cannot decode, is the data set's to decode or to replace.

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
            raise ConfigError(f"DaliImages reads image files; {dataset['type']} has none, and needs no decoder")
        self.views = [CropAndFlip(view) for view in self.dataset.views]
        self.device, self.threads, self.seed = device, threads, self.dataset.seed
        self.index, self.classes = self.dataset.index, self.dataset.classes
        self.num_classes = getattr(self.dataset, 'num_classes', None)
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
        except RuntimeError:  # a photo that DALI cannot decode ends its pipeline, and is not named
            self._pipeline = None
            photos = [self._decode(*sample) for sample in samples]
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

    def _open(self, index: int, epoch: int) -> EncodedPhoto:
        """The file's own bytes where DALI makes of them what we do."""
        if not self.dataset.bad[index]:
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


class CropAndFlip:
    """What DALI does for a view: a crop, resized, then perhaps mirrored.

    Args:
        view: as the data set has built it: ``PhotoCrop``, or a chain of it and at most one ``PhotoFlip``.

    Attributes:
        size: height and width of what comes out.
        antialias: whether the resizing is antialiased.
    """

    def __init__(self, view: Any) -> None:
        self.transforms = list(getattr(view, 'transforms', [view]))
        kinds = [type(transform) for transform in self.transforms]
        if kinds not in ([PhotoCrop], [PhotoCrop, PhotoFlip], [PhotoFlip, PhotoCrop]):
            raise ConfigError(
                f'DaliImages makes views of one PhotoCrop and at most one PhotoFlip, not of '
                f'{", ".join(kind.__name__ for kind in kinds)}: give what follows the crop to '
                'model.data_preprocessor.views, as BatchJitter, BatchGrayscale, BatchBlur, ...'
            )
        self.in_chain = hasattr(view, 'transforms')
        (crop,) = (transform for transform in self.transforms if isinstance(transform, PhotoCrop))
        if crop.interpolation == 'bicubic':
            raise ConfigError("DaliImages resizes bilinearly: PhotoCrop's interpolation is 'antialias' or 'linear'")
        self.size, self.antialias = crop.size, crop.interpolation == 'antialias'

    def draw(self, keys: np.ndarray, heights: np.ndarray, widths: np.ndarray) -> Drawn:
        """What the data set's own view draws from the samples' keys, uint64 (N,)."""
        mirrored, before = np.zeros((2, len(keys)), dtype=bool)
        for place, transform in enumerate(self.transforms):
            own = derive_keys(keys, place) if self.in_chain else keys
            if isinstance(transform, PhotoFlip):
                mirrored = draw_mask(own, transform.p)
            else:
                boxes = draw_crops(own, heights, widths, transform.scale, transform.ratio)
                before = mirrored
        top, left, height, width = boxes.T
        left = np.where(before, widths - left - width, left)  # the box is one of the mirrored photo
        starts, shapes = np.stack([top, left], axis=1), np.stack([height, width], axis=1)
        return Drawn(starts.astype(np.int32), shapes.astype(np.int32), mirrored.astype(np.int32))


class CropPipeline:
    """DALI's pipeline from encoded photos to the views.

    Args:
        views: what to make of each photo.
        most: photos that a batch may have.
        device: 'gpu' or 'cpu'.
        threads: of DALI.

    Raises:
        ConfigError: the process that this one was forked from has used DALI, whose threads did not come along.
    """

    used_by: int | None = None  # a process; a forked one inherits it

    def __init__(self, views: Sequence[CropAndFlip], most: int, device: str, threads: int) -> None:
        if CropPipeline.used_by not in (None, os.getpid()):
            raise ConfigError(
                'DALI was in use before this worker was forked, and would hang in it: set num_workers=0, or '
                "multiprocessing_context='forkserver' for the loader"
            )
        CropPipeline.used_by = os.getpid()
        dali = import_dali()
        self.most = most
        where = torch.cuda.current_device() if device == 'gpu' else None
        self.pipe = dali.Pipeline(batch_size=most, num_threads=threads, device_id=where, prefetch_queue_depth=1)
        with self.pipe:
            content = dali.fn.external_source(name='content', dtype=dali.types.UINT8, ndim=1)
            photos = dali.fn.decoders.image(content, device='mixed' if device == 'gpu' else 'cpu')
            self.pipe.set_outputs(*[self._view(photos, place, view) for place, view in enumerate(views)])
        self.pipe.build()

    def _view(self, photos: Any, place: int, view: CropAndFlip) -> Any:
        fn, types = import_dali().fn, import_dali().types
        start = fn.external_source(name=f'starts{place}', dtype=types.INT32, ndim=1)
        shape = fn.external_source(name=f'shapes{place}', dtype=types.INT32, ndim=1)
        mirrored = fn.external_source(name=f'mirrored{place}', dtype=types.INT32, ndim=0)
        # cut out first: resizing a region of interest would mix in what lies beside it
        part = fn.slice(photos, start, shape, axes=(0, 1))
        made = fn.resize(part, size=(view.size, view.size), interp_type=types.INTERP_LINEAR, antialias=view.antialias)
        return fn.transpose(fn.flip(made, horizontal=mirrored), perm=[2, 0, 1])  # HWC -> CHW

    def run(self, contents: list[np.ndarray], drawn: Sequence[Drawn]) -> list[Tensor]:
        """V views uint8 (N, 3, H, W) of N encoded photos, by what is drawn for each view.

        Raises:
            RuntimeError: a photo cannot be decoded; the pipeline is of no use any more.
        """
        self.pipe.feed_input('content', contents)
        for place, view in enumerate(drawn):
            for name, numbers in view._asdict().items():
                self.pipe.feed_input(f'{name}{place}', numbers)
        # a clone: DALI writes the next batch into the same memory
        return [torch.from_dlpack(view.as_tensor()).clone() for view in self.pipe.run()]


def import_dali() -> ModuleType:
    """The module ``nvidia.dali``.

    Raises:
        ConfigError: it is not installed; it runs on Linux alone.
    """
    try:
        import nvidia.dali
        import nvidia.dali.fn
        import nvidia.dali.types
    except ImportError as error:
        raise ConfigError('DaliImages needs NVIDIA DALI: pip install "binssl[dali]" (Linux only)') from error
    return nvidia.dali
