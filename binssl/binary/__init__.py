"""The 1-bit maths: sign and its pseudo-gradients, binarizers, the binary convolution, learnable shifts."""

from binssl.binary.binarizers import ApproxSign, Binarizer, BoxSign, IdentitySign, ScaledSign, SignRule
from binssl.binary.conv import BINARY, BINARY_INPUT, REAL, RECU, BinaryConv2d, build_conv
from binssl.binary.lean_conv import binary_conv2d
from binssl.binary.recu import ChannelScale, RectifiedSign, UnitVarianceSign
from binssl.binary.shift import RPReLU, Shift
from binssl.binary.sign import binary_sign, filter_scale, scaled_sign, straight_through_sign
from binssl.binary.stand_ins import Clip, LeakyClip, ReLU
from binssl.binary.standardise import rectify, unit_variance

__all__ = [
    'BINARY',
    'BINARY_INPUT',
    'REAL',
    'RECU',
    'ApproxSign',
    'Binarizer',
    'BinaryConv2d',
    'BoxSign',
    'ChannelScale',
    'Clip',
    'IdentitySign',
    'LeakyClip',
    'RPReLU',
    'ReLU',
    'RectifiedSign',
    'ScaledSign',
    'Shift',
    'SignRule',
    'UnitVarianceSign',
    'binary_conv2d',
    'binary_sign',
    'build_conv',
    'filter_scale',
    'rectify',
    'scaled_sign',
    'straight_through_sign',
    'unit_variance',
]
