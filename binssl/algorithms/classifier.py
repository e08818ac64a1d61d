"""A classifier trained with labels: from scratch, or as the linear evaluation of a frozen trunk."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from binssl.algorithms.base import Encoder, Images
from binssl.registry import ALGORITHMS, ConfigError, nearest_names


@ALGORITHMS.register_module()
class Classifier(Encoder):
    """Backbone, neck and a LinearHead under cross-entropy.

    Args:
        backbone: config.
        neck: config; the mean pool by default.
        head: config of a LinearHead.
        frozen: parts that do not learn and stay in eval mode: ('backbone', 'neck') is the linear protocol of
            the papers; the released BURN leaves the neck, its fc, trainable, which makes a two-layer probe.
        data_preprocessor: config.

    Raises:
        ConfigError: a frozen part that does not exist, or none that learns.
    """

    views = 1
    needs_labels = True
    head_offers = ('loss',)

    def __init__(self, backbone: dict, head: dict, neck: dict | None = None, frozen: Sequence[str] = (),
                 data_preprocessor: dict | None = None) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)
        parts = ('backbone', 'neck', 'head')
        for name in frozen:
            if name not in parts:
                raise ConfigError(f'Classifier has no part {name!r} to freeze; {nearest_names(name, parts)}')
        self.frozen = tuple(frozen)
        for name in self.frozen:
            self.get_submodule(name).requires_grad_(False)
        if not any(parameter.requires_grad for parameter in self.parameters()):
            raise ConfigError(f'frozen {list(frozen)} leaves nothing that learns')
        self.train()

    def train(self, mode: bool = True) -> Classifier:
        """Training mode for all but the frozen parts."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def describe(self, images: Tensor) -> dict[str, Tensor]:
        """``features`` (N, D) and the logits as ``scores`` (N, classes)."""
        features = self.extract(images)
        return {'features': features, 'scores': self.head(features)}

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Cross-entropy of one batch with its labels (N,); ``top1`` in percent.

        Raises:
            ConfigError: the data set has no labels.
        """
        view, = self.take_views(images)
        if labels is None:
            raise ConfigError('Classifier needs labels, and the data set gave none: take one with labels')
        return self.head.loss(self.head(self.extract(view)), labels)
