"""The 1-bit maths: sign and its pseudo-gradients, binarizers, the binary convolution, learnable shifts."""

from binssl.binary.activations import Clip, LeakyClip, ReLU, RPReLU, Shift
from binssl.binary.adabin import AdaptiveActivationSign, AdaptiveWeightSign
from binssl.binary.binarizers import (
    ApproxSign,
    BalancedSign,
    Binarizer,
    BoxSign,
    IdentitySign,
    Levels,
    ScaledSign,
    Sign,
    filter_scale,
)
from binssl.binary.conv import BINARY, BINARY_INPUT, REAL, BinaryConv2d, build_conv
from binssl.binary.gradients import PseudoGradient, binary_sign, build_gradient, straight_through_sign
from binssl.binary.lean_conv import binary_conv2d
from binssl.binary.recu import ChannelScale, RectifiedSign, UnitVarianceSign, rectify, unit_variance
