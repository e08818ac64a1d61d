"""Backbones: networks that turn images into a tuple of maps."""

from binssl.backbones.reactnet import ReActNet
from binssl.backbones.resnet import ResNet
from binssl.backbones.torchvision import TorchvisionModel, TorchvisionResNet
from binssl.backbones.two_stream import TwoStreamResNet
from binssl.backbones.vgg import VGG, Pixels
