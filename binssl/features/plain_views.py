"""Views of images without randomness: what features that are kept must be computed from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from binssl.engine.config import plain
from binssl.registry import ConfigError

IMAGES_TRIED, EPOCHS_TRIED = 4, 12


def check_plain_views(data: Any) -> None:
    """Make some images in several epochs, in which a random view differs.

    Args:
        data: a data set, whose samples are asked for by (index, epoch).

    Raises:
        ConfigError: it is empty, an image has several views, or another in another epoch.
    """
    name = type(data).__name__
    if not len(data):
        raise ConfigError(f'{name} has no image: there are no features to compute')
    if getattr(data, 'num_views', 1) != 1:
        raise ConfigError(f'{name} gives {data.num_views} views of an image; features are of one: change its views')
    for index in range(0, len(data), -(-len(data) // IMAGES_TRIED)):
        first = _image(data, index, epoch=0)
        for epoch in range(1, EPOCHS_TRIED):
            if not torch.equal(_image(data, index, epoch), first):
                raise ConfigError(
                    f'the views of {name} are random (image {index} looks otherwise in epoch {epoch}), '
                    'and features are computed once: take the views of the validation, as '
                    'tools/extract_features.py does with --views-of val'
                )


def _image(data: Any, index: int, epoch: int) -> Tensor:
    images = data[(index, epoch)]['images']
    return images if isinstance(images, Tensor) else images[0]


def views_of(dataset: Mapping[str, Any]) -> Any:
    """Of a data set's config what decides how its images look: types and views, with those of its parts."""
    parts = {key: views_of(value) for key, value in dataset.items() if isinstance(value, Mapping)}
    return {'type': dataset['type'], 'views': plain(dataset.get('views')), **parts}


def with_views_of(dataset: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the data set's config with the views of the ``other``'s; inside a set of another, the inner one's."""
    changed = copy.deepcopy(dict(dataset))
    if isinstance(changed.get('dataset'), Mapping):
        return {**changed, 'dataset': with_views_of(changed['dataset'], other)}
    while isinstance(other.get('dataset'), Mapping):
        other = other['dataset']
    changed.pop('views', None)
    return {**changed, 'views': copy.deepcopy(other['views'])} if 'views' in other else changed
