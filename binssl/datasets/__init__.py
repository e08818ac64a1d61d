"""Data sets, samplers and transforms: a sample is a function of (seed, epoch, index)."""

from binssl.datasets.bank_and_query import BankAndQuery
from binssl.datasets.cached_features import CachedFeatures
from binssl.datasets.cifar import CIFAR10, CIFAR100
from binssl.datasets.classes import check_same_classes
from binssl.datasets.collate import whole_batch
from binssl.datasets.dali import DaliImages
from binssl.datasets.digits import Digits
from binssl.datasets.download import download_missing
from binssl.datasets.few_labels import FewLabels, ImageNetSubset
from binssl.datasets.fingerprint import fingerprint_data
from binssl.datasets.imagenet import ImageNet, Places205, SplitFolder
from binssl.datasets.images import ImageFolder, ImageList, Unlabeled, refuse_bad_images
from binssl.datasets.in_memory import InMemoryImages
from binssl.datasets.originals import Originals
from binssl.datasets.sampler import EpochSampler
from binssl.datasets.some_of_each_class import SomeOfEachClass
from binssl.datasets.tiny_imagenet import TinyImageNet
from binssl.datasets.voc_boxes import Annotation, read_annotation
from binssl.datasets.voc_detection import VOCDetection
from binssl.datasets.voc_labels import VOC07

__all__ = [
    'CIFAR10',
    'CIFAR100',
    'VOC07',
    'Annotation',
    'BankAndQuery',
    'CachedFeatures',
    'DaliImages',
    'Digits',
    'EpochSampler',
    'FewLabels',
    'ImageFolder',
    'ImageList',
    'ImageNet',
    'ImageNetSubset',
    'InMemoryImages',
    'Originals',
    'Places205',
    'SomeOfEachClass',
    'SplitFolder',
    'TinyImageNet',
    'Unlabeled',
    'VOCDetection',
    'check_same_classes',
    'download_missing',
    'fingerprint_data',
    'read_annotation',
    'refuse_bad_images',
    'whole_batch',
]
