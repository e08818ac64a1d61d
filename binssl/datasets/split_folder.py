"""Any image folder with a training and a test part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from binssl.datasets.folder_files import class_folders
from binssl.datasets.folders_or_lists import check_same_folders
from binssl.datasets.images import ImageFolder
from binssl.datasets.splits import check_split
from binssl.registry import DATASETS, DataError

#: where a split is looked for: many sets have one of val and test alone
FOLDERS = {'train': ('train',), 'val': ('val', 'test'), 'test': ('test', 'val')}


@DATASETS.register_module()
class SplitFolder(ImageFolder):
    """One split of a folder that has ``train/CLASS/IMAGE``, and ``val/CLASS/IMAGE`` or ``test/CLASS/IMAGE``.

    Args:
        root: the folder.
        split: ``train``; ``val``, which is ``test/`` where there is no ``val/``; or ``test``, likewise.
        views, seed, most_bad_fraction: as in :class:`ImageFiles`.

    Attributes:
        num_classes: class folders of ``train/``.

    Raises:
        DataError: the folder, its ``train/`` or the split is not there, or their class folders differ.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = 'train',
        views: Sequence | None = None,
        seed: int = 0,
        most_bad_fraction: float = 0.01,
    ) -> None:
        check_split('SplitFolder', split, FOLDERS)
        root = Path(root)
        self.split = split
        train, folder = _find(root, 'train'), _find(root, split)
        check_same_folders(train, folder)
        super().__init__(folder, views, len(class_folders(train)), seed, most_bad_fraction)


def _find(root: Path, split: str) -> Path:
    for name in FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    looked = ' or '.join(f'{name}/' for name in FOLDERS[split])
    raise DataError(
        f'there is no {looked} in {os.fspath(root)!r} (in {os.getcwd()!r}): expected are train/CLASS/IMAGE '
        'and val/CLASS/IMAGE or test/CLASS/IMAGE. The configs of transfer take it from the environment: DATA_ROOT=/path'
    )
