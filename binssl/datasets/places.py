"""Places205 (Zhou et al., NeurIPS 2014), as OpenSelfSup or as its authors lay it out."""

from __future__ import annotations

from binssl.datasets.folders_or_lists import FoldersOrLists
from binssl.registry import DATASETS


@DATASETS.register_module()
class Places205(FoldersOrLists):
    """Photos of 205 kinds of scenes: 2,448,873 to train on, 20,500 to validate.

    Lists are looked for as OpenSelfSup names them, ``meta/SPLIT.txt`` and ``meta/SPLIT_labeled.txt``, and as the
    authors do, ``trainvalsplit_places205/SPLIT_places205.csv`` (lines ``PATH LABEL``, with a blank between them). Paths
    in them are relative to ``SPLIT/``, to the root or to the folder of the authors' archive,
    ``data/vision/torralba/deeplearning/images256``. The usual roots are data/places205 and data/Places205. Arguments:
    :class:`FoldersOrLists`.
    """

    title = 'Places205'
    usual_roots = ('data/places205', 'data/Places205')
    published_classes = 205
    labeled_lists = ('meta/{split}_labeled.txt', 'trainvalsplit_places205/{split}_places205.csv')
    image_folders = ('{split}', '', 'data/vision/torralba/deeplearning/images256')
    layout = """expected is a folder with
    train/ and val/, and lists of what is in them: meta/train_labeled.txt and meta/val_labeled.txt, or
    trainvalsplit_places205/ and data/vision/torralba/deeplearning/images256/, as the authors' archives have them
To use another folder: --cfg-options train_dataloader.dataset.root=/path/to/places205 (likewise for
val_dataloader and test_dataloader), or link it: ln -s /path/to/places205 data/places205"""
