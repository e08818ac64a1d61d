"""Algorithms: what is trained, and how; one file each, and the teachers that they share."""

from binssl.algorithms.base import Encoder
from binssl.algorithms.burn import BURN
from binssl.algorithms.classifier import Classifier
from binssl.algorithms.moco import MoCo
from binssl.algorithms.preprocess import ImageNormalizer
from binssl.algorithms.teacher import FrozenTeacher, MomentumTeacher

__all__ = ['BURN', 'Classifier', 'Encoder', 'FrozenTeacher', 'ImageNormalizer', 'MoCo', 'MomentumTeacher']
