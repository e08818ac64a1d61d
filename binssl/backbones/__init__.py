"""Networks that turn images into a tuple of maps."""

from binssl.backbones.pixels import Pixels
from binssl.backbones.reactnet import ReActNet
from binssl.backbones.torchvision import TorchvisionResNet

__all__ = ['Pixels', 'ReActNet', 'TorchvisionResNet']
