"""Data sets, samplers and transforms: a sample is a function of (seed, epoch, index)."""

from binssl.datasets.bank_and_query import BankAndQuery
from binssl.datasets.collate import whole_batch
from binssl.datasets.digits import Digits
from binssl.datasets.digits_augment import DigitsAugment
from binssl.datasets.sampler import EpochSampler

__all__ = ['BankAndQuery', 'Digits', 'DigitsAugment', 'EpochSampler', 'whole_batch']
