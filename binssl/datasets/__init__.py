"""Data sets, samplers and transforms: a sample is a function of (seed, epoch, index)."""

from binssl.datasets.array_colors import PhotoBlur, PhotoGrayscale, PhotoJitter, PhotoLighting, PhotoSolarize
from binssl.datasets.array_transforms import PhotoCenterCrop, PhotoCrop, PhotoFlip, PhotoResize
from binssl.datasets.bank_and_query import BankAndQuery
from binssl.datasets.batch_part import BatchPart
from binssl.datasets.batch_photo import BatchBlur, BatchGrayscale, BatchJitter, BatchLighting, BatchSolarize
from binssl.datasets.batch_transforms import BatchCrop, BatchFlip, BatchResize, BatchRotate
from binssl.datasets.cached_features import CachedFeatures
from binssl.datasets.cifar import CIFAR10, CIFAR100
from binssl.datasets.classes import check_same_classes
from binssl.datasets.collate import whole_batch
from binssl.datasets.dali import DaliImages
from binssl.datasets.digits import Digits
from binssl.datasets.digits_augment import DigitsAugment
from binssl.datasets.download import download_missing
from binssl.datasets.errors import DataError
from binssl.datasets.few_labels import FewLabels, ImageNetSubset
from binssl.datasets.fingerprint import fingerprint_data
from binssl.datasets.imagenet import ImageNet
from binssl.datasets.images import ImageFolder, ImageList, refuse_bad_images
from binssl.datasets.in_memory import InMemoryImages
from binssl.datasets.inspection import inspect_files
from binssl.datasets.originals import Originals
from binssl.datasets.photo_transforms import GaussianBlur, Lighting
from binssl.datasets.places import Places205
from binssl.datasets.sampler import EpochSampler
from binssl.datasets.some_of_each_class import SomeOfEachClass
from binssl.datasets.split_folder import SplitFolder
from binssl.datasets.tiny_imagenet import TinyImageNet
from binssl.datasets.unlabeled import Unlabeled
from binssl.datasets.voc_boxes import Annotation, read_annotation
from binssl.datasets.voc_detection import VOCDetection
from binssl.datasets.voc_labels import VOC07

__all__ = [
    'CIFAR10',
    'CIFAR100',
    'VOC07',
    'Annotation',
    'BankAndQuery',
    'BatchBlur',
    'BatchCrop',
    'BatchFlip',
    'BatchGrayscale',
    'BatchJitter',
    'BatchLighting',
    'BatchPart',
    'BatchResize',
    'BatchRotate',
    'BatchSolarize',
    'CachedFeatures',
    'DaliImages',
    'DataError',
    'Digits',
    'DigitsAugment',
    'EpochSampler',
    'FewLabels',
    'GaussianBlur',
    'ImageFolder',
    'ImageList',
    'ImageNet',
    'ImageNetSubset',
    'InMemoryImages',
    'Lighting',
    'Originals',
    'PhotoBlur',
    'PhotoCenterCrop',
    'PhotoCrop',
    'PhotoFlip',
    'PhotoGrayscale',
    'PhotoJitter',
    'PhotoLighting',
    'PhotoResize',
    'PhotoSolarize',
    'Places205',
    'SomeOfEachClass',
    'SplitFolder',
    'TinyImageNet',
    'Unlabeled',
    'VOCDetection',
    'check_same_classes',
    'download_missing',
    'fingerprint_data',
    'inspect_files',
    'read_annotation',
    'refuse_bad_images',
    'whole_batch',
]
