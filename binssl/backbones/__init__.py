"""Networks that turn images into a tuple of maps."""

from binssl.backbones.reactnet import ReActNet

__all__ = ['ReActNet']
