"""The 1-bit maths: sign and its pseudo-gradients, binarizers, the binary convolution, learnable shifts."""

from binssl.binary.binarizers import ApproxSign, Binarizer, BoxSign, IdentitySign, ScaledSign, SignRule
from binssl.binary.conv import BINARY, BINARY_INPUT, REAL, BinaryConv2d, binary_conv2d, build_conv
from binssl.binary.shift import RPReLU, Shift
from binssl.binary.sign import binary_sign, filter_scale, scaled_sign, straight_through_sign

__all__ = [
    'BINARY',
    'BINARY_INPUT',
    'REAL',
    'ApproxSign',
    'Binarizer',
    'BinaryConv2d',
    'BoxSign',
    'IdentitySign',
    'RPReLU',
    'ScaledSign',
    'Shift',
    'SignRule',
    'binary_conv2d',
    'binary_sign',
    'build_conv',
    'filter_scale',
    'scaled_sign',
    'straight_through_sign',
]
