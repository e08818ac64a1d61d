"""NVIDIA DALI's part in :class:`~binssl.datasets.dali.DaliImages`: decoding, and crops and flips drawn beforehand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from binssl.core.randomness import derive_keys
from binssl.registry import ConfigError
from binssl.views.array_transforms import PhotoCrop, PhotoFlip
from binssl.views.draws import draw_crops, draw_mask


class Drawn(NamedTuple):
    """Boxes and flips of N photos, int32: corners (N, 2), row and column; heights and widths (N, 2); 0 or 1 (N,)."""

    starts: np.ndarray
    shapes: np.ndarray
    mirrored: np.ndarray


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
        self.most, self.on_gpu = most, device == 'gpu'
        where = torch.cuda.current_device() if self.on_gpu else None
        self.pipe = dali.Pipeline(batch_size=most, num_threads=threads, device_id=where, prefetch_queue_depth=1)
        with self.pipe:
            content = dali.fn.external_source(name='content', dtype=dali.types.UINT8, ndim=1)
            photos = dali.fn.decoders.image(content, device='mixed' if self.on_gpu else 'cpu')
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
            RuntimeError: a photo cannot be decoded, or something else went wrong; the pipeline is of no use any more.
        """
        self.pipe.feed_input('content', contents)
        for place, view in enumerate(drawn):
            for name, numbers in view._asdict().items():
                self.pipe.feed_input(f'{name}{place}', numbers)
        # a clone: DALI writes the next batch into the same memory, on a GPU in the order of the stream of the clones
        stream = torch.cuda.current_stream() if self.on_gpu else None
        return [torch.from_dlpack(view.as_tensor()).clone() for view in self.pipe.run(stream)]


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
