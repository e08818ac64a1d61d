"""Algorithms, one file each, and the teachers that they share."""

from binssl.algorithms.barlow_twins import BarlowTwins
from binssl.algorithms.base import Encoder
from binssl.algorithms.burn import BURN
from binssl.algorithms.byol import BYOL
from binssl.algorithms.classifier import Classifier
from binssl.algorithms.detector import Detector
from binssl.algorithms.moco import MoCo
from binssl.algorithms.preprocess import ImageNormalizer
from binssl.algorithms.s2bnn import S2BNN
from binssl.algorithms.simsiam import SimSiam
from binssl.algorithms.swav import SwAV
from binssl.algorithms.teacher import FrozenTeacher, MomentumTeacher
