"""The data preprocessor: uint8 views are moved to the device, augmented there if asked, and normalised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from binssl.registry import ALGORITHMS, ConfigError
from binssl.views import BatchPart


@ALGORITHMS.register_module()
class ImageNormalizer(BaseDataPreprocessor):
    """Moves a batch to the device and gives its images as (x - mean) / std.

    Images travel as uint8, a quarter of the bytes; the floats take the dtype of ``mean``, so that
    ``model.double()`` reaches them.

    What of the views costs a worker most, colours and blur, may be left to ``views``: it is done in training only, on
    the device, for the whole batch, with numbers from the counter keys that the batch brings (``keys``, int64 (N, V),
    uint64 bits), so that a sample looks the same in any batch. The keys themselves end here.

    Shape: ``images``, a tensor (N, C, H, W), a list of them, one a view, or, for a detector, a list of single images
    (C, H, W) -> the same. All else is moved. Rows (N, D) are features of images that were normalised before: they only
    take the dtype.

    Args:
        mean: one a channel, in units of the pixel values, 0 to 255.
        std: likewise.
        channels_last: give the images in that memory format.
        views: for each view the config of a transform of batches (``PhotoJitter``, ``PhotoBlur``, ...), a list of them,
            or None for a view that comes ready. None: all do.

    Raises:
        ConfigError: mean and std of different length, or in units of 0 to 1; a std <= 0; a transform that is not of
            whole batches; at the first batch, one without keys or with another number of views.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], channels_last: bool = False, views: Sequence | None = None
    ) -> None:
        super().__init__(non_blocking=True)
        if len(mean) != len(std):
            raise ConfigError(
                f'ImageNormalizer needs a mean and a std a channel: {len(mean)} and {len(std)} were given'
            )
        if min(std) <= 0:
            raise ConfigError(f'std {list(std)} of ImageNormalizer must be positive')
        if max(std) <= 1:
            raise ConfigError(
                f'std {list(std)} of ImageNormalizer looks like units of 0 to 1; mean and std are '
                'in those of the pixel values, 0 to 255: multiply both by 255'
            )
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.batch_part = None if views is None else BatchPart(views)

    def forward(self, data: Mapping, training: bool = False) -> dict:
        """A batch of the data loader -> the same on the device, images normalised."""
        given = dict(data)
        keys = given.pop('keys', None)  # stay where numbers are drawn from them
        batch = dict(self.cast_data(given))
        views = [batch['images']] if isinstance(batch['images'], Tensor) else batch['images']
        ready = self.batch_part(views, keys) if training and self.batch_part is not None else views
        normalized = [self.normalize(view) for view in ready]
        batch['images'] = normalized[0] if isinstance(batch['images'], Tensor) else normalized
        return batch

    def normalize(self, images: Tensor) -> Tensor:
        """(N, C, H, W) or (C, H, W) of any dtype -> (x - mean) / std, same shape; features (N, D) -> the same."""
        if images.dim() == 2:
            return images.to(self.mean.dtype)
        if images.dim() == 3:
            return self.normalize(images[None])[0]
        # the format is changed while the images are still uint8; the division may then work in place
        return (images.contiguous(memory_format=self.memory_format) - self.mean).div_(self.std)
