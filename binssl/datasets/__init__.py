"""Data sets, samplers and transforms: a sample is a function of (seed, epoch, index)."""

from binssl.datasets.bank_and_query import BankAndQuery
from binssl.datasets.collate import whole_batch
from binssl.datasets.digits import Digits
from binssl.datasets.digits_augment import DigitsAugment
from binssl.datasets.errors import DataError
from binssl.datasets.imagenet import ImageNet
from binssl.datasets.images import ImageFolder, ImageList
from binssl.datasets.photo_transforms import GaussianBlur
from binssl.datasets.sampler import EpochSampler

__all__ = [
    'BankAndQuery',
    'DataError',
    'Digits',
    'DigitsAugment',
    'EpochSampler',
    'GaussianBlur',
    'ImageFolder',
    'ImageList',
    'ImageNet',
    'whole_batch',
]
