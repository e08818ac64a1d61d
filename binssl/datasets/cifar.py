"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009), in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from binssl.datasets.cifar_files import CIFAR10_FILES, CIFAR100_FILES, IMAGES, CIFARFiles, read_cifar
from binssl.datasets.in_memory import InMemoryImages
from binssl.datasets.splits import check_split, warn_of_size
from binssl.registry import DATASETS

SPLITS = ('train', 'test', 'fit', 'held_out')


class _CIFAR(InMemoryImages):
    """What both sets do.

    Attributes:
        files: what is published.
        default_root: where it is looked for.
    """

    files: CIFARFiles
    default_root: str

    def __init__(
        self,
        split: str = 'train',
        root: str | Path | None = None,
        views: Sequence | None = None,
        seed: int = 0,
        device: str = 'cpu',
    ) -> None:
        check_split(type(self).__name__, split, SPLITS)
        self.split, self.root = split, Path(self.default_root if root is None else root)
        whole = 'test' if split == 'test' else 'train'
        images, labels = read_cifar(self.root, self.files, whole)
        warn_of_size(type(self).__name__, self.root, whole, len(labels), IMAGES[whole])
        fit = len(labels) * 4 // 5
        part = dict(fit=slice(fit), held_out=slice(fit, None)).get(split, slice(None))
        super().__init__(torch.from_numpy(images[part]), torch.from_numpy(labels[part]), views, seed, device)


@DATASETS.register_module()
class CIFAR10(_CIFAR):
    """60,000 photos of 10 classes, 32 x 32: 50,000 to train on, 10,000 to test.

    Read from the published binary or Python version, extracted or still in its ``.tar.gz``.

    Args:
        split: ``train``, ``test``, or ``fit`` and ``held_out``, the first 80 % and the last 20 % of train, to choose
            settings on.
        root: the folder that holds the published folder or archive. None: data/cifar10.
        views, seed, device: as in :class:`InMemoryImages`.

    Raises:
        DataError: if the set is not there, is another one, or is not whole.
    """

    files, default_root = CIFAR10_FILES, 'data/cifar10'
    num_classes = CIFAR10_FILES.num_classes


@DATASETS.register_module()
class CIFAR100(_CIFAR):
    """60,000 photos of 100 (fine) classes; otherwise as :class:`CIFAR10`. Root None: data/cifar100."""

    files, default_root = CIFAR100_FILES, 'data/cifar100'
    num_classes = CIFAR100_FILES.num_classes
