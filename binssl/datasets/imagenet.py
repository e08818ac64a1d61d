"""ImageNet, in whichever of the usual layouts it is there."""

from __future__ import annotations

from binssl.datasets.folders_or_lists import FoldersOrLists
from binssl.registry import DATASETS


@DATASETS.register_module()
class ImageNet(FoldersOrLists):
    """ImageNet (ILSVRC 2012) as a folder of class folders or by BURN's list files; 1000 classes.

    Lists are looked for as ``meta/SPLIT.txt`` and ``meta/SPLIT_labeled.txt``, paths in them relative to ``SPLIT/`` or
    to the root; class folders as ``SPLIT/CLASS/``, named by synsets or by whole numbers, whose order makes the labels.
    The usual roots are data/imagenet, data/IMAGENET and data/Imagenet. Arguments: :class:`FoldersOrLists`.
    """

    title = 'ImageNet'
    usual_roots = ('data/imagenet', 'data/IMAGENET', 'data/Imagenet')
    published_classes = 1000
    layout = """expected is a folder with
    train/CLASS/*.JPEG and val/CLASS/*.JPEG, or
    train/ and val/ in any form, and lists of what is in them: meta/train.txt, meta/train_labeled.txt,
    meta/val_labeled.txt, with lines PATH or PATH LABEL
To use another folder: --cfg-options train_dataloader.dataset.root=/path/to/imagenet (likewise for
val_dataloader and test_dataloader), or link it: ln -s /path/to/imagenet data/imagenet"""
