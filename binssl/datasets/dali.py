"""Photos decoded and cropped by NVIDIA's DALI, an optional library, a batch at a time, on a GPU or a CPU.

DALI draws nothing itself: the crops come from our counters, as for one image at a time, and what follows them is done
by the transforms of the view, on the batch.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from logging import WARNING
from types import ModuleType
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import get_worker_info

from binssl.core.files import open_regular
from binssl.core.randomness import derive_keys
from binssl.datasets.base import BatchedDataset, DerivedDataset, make_batch
from binssl.datasets.build import build_dataset
from binssl.datasets.decode import UNREADABLE, open_image
from binssl.datasets.images import ImageFiles
from binssl.registry import DATASETS, ConfigError
from binssl.views import PhotoCrop, PhotoFlip
from binssl.views.build import BATCH
from binssl.views.draws import draw_crops, draw_mask

_ORIENTATION = 0x0112  # EXIF's tag
_UPRIGHT = 1


class PipelineError(RuntimeError):
    """DALI's pipeline broke, as it does on a photo that it cannot decode; it does not say on which."""


class EncodedPhoto(NamedTuple):
    """A file that DALI decodes as we do: its bytes, its height and width, and where it is in the data set."""

    content: np.ndarray
    height: int
    width: int
    source: int


class CroppedView:
    """A view that DALI crops, and that is finished on the batch: a ``PhotoCrop``, or a chain that starts with it.

    A ``PhotoFlip`` may stand before it: then the box on the photo's other side is cut out, and mirrored thereafter.
    """

    def __init__(self, view: Any) -> None:
        transforms = list(getattr(view, 'transforms', [view]))
        self.place = int(len(transforms) > 1 and isinstance(transforms[0], PhotoFlip))  # of the crop
        self.rest = dict(enumerate(transforms))
        self.crop = self.rest.pop(self.place, None)
        of_batches = [BATCH in getattr(part, 'takes', ()) for part in self.rest.values()]
        if not isinstance(self.crop, PhotoCrop) or not all(of_batches):
            have = ', '.join(type(part).__name__ for part in transforms)
            remedy = 'put PhotoCrop first, then PhotoFlip, ..., or give these to model.data_preprocessor.views'
            raise ConfigError(f'DaliImages makes views of PhotoCrop and what works on a batch, not of {have}: {remedy}')
        self.in_chain = hasattr(view, 'transforms')
        if self.crop.interpolation == 'bicubic':
            raise ConfigError("DaliImages resizes bilinearly: PhotoCrop's interpolation is 'antialias' or 'linear'")
        self.size, self.antialias = self.crop.size, self.crop.interpolation == 'antialias'

    def draw(self, keys: np.ndarray, sizes: Sequence[tuple[int, int]]) -> np.ndarray:
        """The boxes that the view itself draws from keys uint64 (N,): top, left, height, width, int32 (N, 4)."""
        own = draw_crops(derive_keys(keys, self.place) if self.in_chain else keys, self.crop.scale, self.crop.ratio)
        boxes = np.array([place_box(*size) for place_box, size in zip(own, sizes, strict=True)], dtype=np.int32)
        if self.place:  # each box is one of the mirrored photo
            mirrored, (_, left, _, width) = draw_mask(derive_keys(keys, 0), self.rest[0].p), boxes.T
            boxes[:, 1] = np.where(mirrored, np.array(sizes)[:, 1] - left - width, left)
        return boxes

    def finish(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """All but the crop, of uint8 (N, 3, H, W)."""
        for place, transform in self.rest.items():
            images = transform(images, derive_keys(keys, place))
        return images


@DATASETS.register_module()
class DaliImages(DerivedDataset, BatchedDataset):
    """The photos of another data set, with its views and its seeds, made by DALI a batch at a time.

    A view starts with ``PhotoCrop`` (before it at most a ``PhotoFlip``), which is DALI's; flips, colours and blur
    follow on the batch, where DALI leaves it. All draw what the data set itself draws from (seed, epoch, index). On a
    CPU grey levels of the crop are within 2 of its own, but for the outermost pixels of antialiased crops (up to 7 in
    photos): beyond the edge DALI repeats it, where Pillow and torch weigh what there is.

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

    labels: np.ndarray

    def __init__(self, dataset: dict, device: str = 'gpu', threads: int = 4, seed: int = 0) -> None:
        if device not in ('gpu', 'cpu'):
            raise ConfigError(f"DaliImages: device {device!r} is neither 'gpu' nor 'cpu'")
        if threads < 1:
            raise ConfigError(f'DaliImages: threads {threads} must be at least 1')
        import_dali()
        photos = build_dataset(dataset, seed)
        if not isinstance(photos, ImageFiles):
            raise ConfigError(f'DaliImages reads image files; {dataset["type"]} has none, and needs no decoder')
        self.dataset, self.parts, self.device, self.threads, self.seed = photos, (photos,), device, threads, photos.seed
        self.views = [CroppedView(view) for view in photos.views]
        self.index, self.labels = photos.index, photos.labels
        self.classes, self.num_classes = photos.classes, photos.num_classes
        # shared memory, as the data set's own list of bad ones: what DALI cannot decode
        self.odd = torch.zeros(len(photos), dtype=torch.bool).share_memory_()
        self._pipeline: CropPipeline | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, _pipeline=None)  # a process builds its own

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> dict[str, Any]:
        if self.device == 'gpu' and get_worker_info() is not None:
            raise ConfigError("DaliImages(device='gpu') works in the training process: set num_workers=0")
        indices, epochs = self.split_keys(keys)
        streams = self.draw_keys(indices, epochs)
        samples = list(zip(indices.tolist(), epochs.tolist(), strict=True))
        photos = [self._open(*sample) for sample in samples]
        try:
            images = self._make_views(photos, streams)
        except PipelineError as error:
            self._note_odd(photos, streams, error)
            photos = [self._open(*sample) for sample in samples]
            images = self._make_views(photos, streams)
        images = [view.finish(*made) for view, *made in zip(self.views, images, streams, strict=True)]
        return make_batch(images, self.labels[[photo.source for photo in photos]], indices, streams)

    def _make_views(self, photos: Sequence[EncodedPhoto], keys: Sequence[np.ndarray]) -> list[Tensor]:
        forked = CropPipeline.used_by != os.getpid()
        if self._pipeline is None or forked or self._pipeline.most < len(photos):
            self._pipeline = CropPipeline(self.views, len(photos), self.device, self.threads)
        sizes = [(photo.height, photo.width) for photo in photos]
        drawn = [view.draw(own, sizes) for view, own in zip(self.views, keys, strict=True)]
        try:
            return self._pipeline.run([photo.content for photo in photos], drawn)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._pipeline = None
            raise PipelineError(*error.args) from error

    def _note_odd(self, photos: Sequence[EncodedPhoto], keys: Sequence[np.ndarray], error: PipelineError) -> None:
        """Marks the photos that DALI fails on alone; ``error``, the batch's, goes on where it is not a photo's."""
        found = False
        for place, photo in enumerate(photos):
            try:
                self._make_views([photo], [own[place : place + 1] for own in keys])
            except PipelineError as own_error:
                self.odd[photo.source] = found = True
                reason = ' '.join(str(own_error).rpartition('encountered:')[2].split())
                told = f'DALI cannot decode {self.index.path(photo.source)!r} ({reason}): left to the data set'
                print_log(told, logger='current', level=WARNING)
        if not found:
            raise error

    def _open(self, index: int, epoch: int) -> EncodedPhoto:
        """The file's own bytes where DALI makes of them what we do, else the photo by way of the data set."""
        if not (self.odd[index] or self.dataset.bad[index]):
            try:
                with open_regular(self.index.path(index)) as file:
                    content = np.fromfile(file, dtype=np.uint8)
                with open_image(io.BytesIO(content.data)) as image:  # reads the header alone
                    orientation = image.getexif().get(_ORIENTATION, _UPRIGHT) if 'exif' in image.info else _UPRIGHT
                    if (image.format, image.mode, orientation) == ('JPEG', 'RGB', _UPRIGHT):
                        return EncodedPhoto(content, image.height, image.width, index)
            except UNREADABLE:
                pass  # the data set says so
        # as the data set decodes or replaces it, without loss in a format that costs nothing
        image, _, source = self.dataset.read(index, epoch)
        pixels = np.asarray(image)
        _, content = cv2.imencode('.bmp', pixels[..., ::-1])
        return EncodedPhoto(content.ravel(), pixels.shape[0], pixels.shape[1], source)


class CropPipeline:
    """DALI's pipeline from the encoded photos of a batch, ``most`` at a time, to the views.

    It is refused in a process that was forked from one that has used DALI: its threads did not come along.
    """

    used_by: int | None = None  # a process; a forked one inherits it

    def __init__(self, views: Sequence[CroppedView], most: int, device: str, threads: int) -> None:
        if CropPipeline.used_by not in (None, os.getpid()):
            remedy = "set num_workers=0, or multiprocessing_context='forkserver' for the loader"
            raise ConfigError(f'DALI was in use before this worker was forked, and would hang in it: {remedy}')
        CropPipeline.used_by = os.getpid()
        dali = import_dali()
        self.most, self.on_gpu = most, device == 'gpu'
        where = torch.cuda.current_device() if self.on_gpu else None
        self.pipe = dali.Pipeline(batch_size=most, num_threads=threads, device_id=where, prefetch_queue_depth=1)
        with self.pipe:
            content = dali.fn.external_source(name='content', dtype=dali.types.UINT8, ndim=1)
            photos = dali.fn.decoders.image(content, device='mixed' if self.on_gpu else 'cpu')
            self.pipe.set_outputs(*[self._view(photos, place, view) for place, view in enumerate(views)])
        self.pipe.build()

    def _view(self, photos: Any, place: int, view: CroppedView) -> Any:
        fn, types = import_dali().fn, import_dali().types
        start = fn.external_source(name=f'starts{place}', dtype=types.INT32, ndim=1)
        shape = fn.external_source(name=f'shapes{place}', dtype=types.INT32, ndim=1)
        # cut out first: resizing a region of interest would mix in what lies beside it
        part = fn.slice(photos, start, shape, axes=(0, 1))
        made = fn.resize(part, size=(view.size, view.size), interp_type=types.INTERP_LINEAR, antialias=view.antialias)
        return fn.transpose(made, perm=[2, 0, 1])  # HWC -> CHW

    def run(self, contents: list[np.ndarray], boxes: Sequence[np.ndarray]) -> list[Tensor]:
        """V crops uint8 (N, 3, H, W) of N encoded photos, by the boxes (N, 4) of each view.

        After a RuntimeError, of a photo that cannot be decoded or another, the pipeline is of no use any more.
        """
        self.pipe.feed_input('content', contents)
        for place, own in enumerate(boxes):
            self.pipe.feed_input(f'starts{place}', np.ascontiguousarray(own[:, :2]))
            self.pipe.feed_input(f'shapes{place}', np.ascontiguousarray(own[:, 2:]))
        # a clone: DALI writes the next batch into the same memory, on a GPU in the order of the stream of the clones
        stream = torch.cuda.current_stream() if self.on_gpu else None
        return [torch.from_dlpack(view.as_tensor()).clone() for view in self.pipe.run(stream)]


def import_dali() -> ModuleType:
    """The module ``nvidia.dali``; a ConfigError where it is not installed."""
    try:
        import nvidia.dali
        import nvidia.dali.fn
        import nvidia.dali.types
    except ImportError as error:
        raise ConfigError('DaliImages needs NVIDIA DALI: pip install "binssl[dali]" (Linux only)') from error
    return nvidia.dali
