"""The part of the views that is made of whole batches, where the model is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from binssl.core.randomness import derive_keys
from binssl.registry import TRANSFORMS, ConfigError
from binssl.views.build import BATCH, build_views

_STREAM = 1 << 32  # a counter that no chain of transforms reaches: other keys than those of the workers


@TRANSFORMS.register_module()
class BatchPart:
    """What is still to be done to the views of a batch, with the counter keys that the batch brings along.

    Nothing of it depends on the rest of the batch or on the process: a sample's numbers come from its key alone.

    Args:
        views: for each view a batch transform's config, a list of them, or None for a view that is ready.

    Attributes:
        views: what does it, one a view.
    """

    takes = 'the views of a batch'

    def __init__(self, views: Sequence) -> None:
        if isinstance(views, (list, tuple)):  # build_views says what is wrong with anything else
            views = [[] if view is None else view for view in views]
        self.views: list[Callable] = build_views(views, owner='the batch part of the views', takes=BATCH)

    def __call__(self, images: Sequence[Tensor], keys: Tensor | None) -> list[Tensor]:
        """Changes the views uint8 (N, 3, H, W), each by its column of ``keys``, int64 (N, V), which hold uint64 bits.

        Raises:
            ConfigError: there are no keys, or another number of views.
        """
        if keys is None:
            raise ConfigError(
                'the batch has no keys, from which model.data_preprocessor.views could draw: this data set cannot be '
                'augmented on the device; move the transforms to train_dataloader.dataset.views'
            )
        if len(images) != len(self.views) or keys.shape[-1] != len(self.views):
            raise ConfigError(
                f'model.data_preprocessor.views has {len(self.views)} entries, the batch {len(images)} view(s) with '
                f'{keys.shape[-1]} key(s) a sample: give one entry a view, None where there is nothing to do'
            )
        drawn = keys.numpy().view(np.uint64)
        device = images[0].device.type
        with torch.no_grad(), torch.autocast(device, enabled=False):  # grey levels need more than half precision
            return [
                view(image, derive_keys(drawn[:, place], _STREAM))
                for place, (image, view) in enumerate(zip(images, self.views, strict=True))
            ]
