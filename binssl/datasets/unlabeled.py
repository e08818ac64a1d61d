"""Any folder of images, to train on without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from binssl.datasets.file_index import index_tree
from binssl.datasets.images import ImageFiles
from binssl.registry import DATASETS


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
