"""A linear classifier with cross-entropy."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from binssl.registry import HEADS, ConfigError


@HEADS.register_module()
class LinearHead(nn.Module):
    """One linear layer; weights start with standard deviation 0.01, biases at 0 (MoCo's linear protocol).

    Shape: (N, in_channels) -> (N, num_classes).

    Args:
        num_classes: at least 2.
        in_channels: width of the features.
        label_smoothing: share of the target that is spread over all classes, in [0, 1).

    Raises:
        ConfigError: a number outside its range.
    """

    def __init__(self, num_classes: int, in_channels: int, label_smoothing: float = 0.) -> None:
        super().__init__()
        if num_classes < 2:
            raise ConfigError(f'num_classes {num_classes} of LinearHead must be at least 2')
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f'label_smoothing {label_smoothing} of LinearHead must lie in [0, 1)')
        self.in_channels, self.out_channels = in_channels, num_classes
        self.label_smoothing = label_smoothing
        self.fc = nn.Linear(in_channels, num_classes)
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels) -> logits (N, num_classes)."""
        return self.fc(features)

    def loss(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of ``logits`` (N, num_classes) with ``labels`` (N,); the top-1 rate in percent."""
        top1 = 100 * (logits.detach().argmax(dim=1) == labels).float().mean()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return {'loss': loss, 'top1': top1}
