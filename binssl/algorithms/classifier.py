"""A classifier trained with labels or a teacher's answers: from scratch, or as linear evaluation of a frozen trunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.transforms import v2

from binssl.algorithms.base import Encoder, Images
from binssl.algorithms.teacher import FrozenTeacher
from binssl.algorithms.teacher_weights import check_outputs
from binssl.registry import ALGORITHMS, ConfigError, nearest_names

PARTS = ('backbone', 'neck', 'head')
TEACHER_ASKS = ('distill', 'rates', 'label_smoothing')  # of the head, besides head_offers

#: mixup (arXiv:1710.09412) weighs two images, CutMix (arXiv:1905.04899) pastes a box of one into the other
KINDS: dict[str, type[v2.Transform]] = {'MixUp': v2.MixUp, 'CutMix': v2.CutMix}


@ALGORITHMS.register_module()
class Classifier(Encoder):
    """Backbone, neck and a LinearHead under cross-entropy, with the labels, a teacher's soft labels, or both.

    ``loss = w * CE(softmax(teacher), student) + (1 - w) * CE(labels, student)``, w = ``soft_label_weight``; without a
    teacher the labels alone. w = 1 is the distribution loss of ReActNet (arXiv:2003.03488): no hard labels, which
    then only serve to count what is right.

    Args:
        backbone: config.
        head: config of a LinearHead, whose label_smoothing is that of the hard labels; on a frozen trunk also of
            LinearRates, a classifier a learning rate.
        neck: config; the mean pool by default.
        frozen: parts that do not learn and stay in eval mode: ('backbone', 'neck') is the linear protocol of
            the papers; the released BURN leaves the neck, its fc, trainable, which makes a two-layer probe.
        learns: 'all', or 'norms': only BatchNorms do (the last step of Bi-Real Net, arXiv:1808.00278).
        teacher: config of a FrozenTeacher with a head of as many classes.
        soft_label_weight: w, in (0, 1].
        mix: configs as :func:`build_mixing` takes them, one drawn a batch; the teacher sees the mixed images too.
        data_preprocessor: config; the one that the teacher was trained with.

    Raises:
        ConfigError: a frozen part that does not exist, nothing that learns, a teacher that does not fit, or a setting
            that nothing would read.
    """

    views = 1
    needs_labels = True
    head_offers = ('loss', 'out_channels')

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        frozen: Sequence[str] = (),
        learns: str = 'all',
        teacher: dict | None = None,
        soft_label_weight: float = 1.0,
        mix: Sequence[dict] = (),
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor)
        self._choose_what_learns(frozen, learns)
        self.mixing = build_mixing(mix, self.head.out_channels)
        self.check_head(TEACHER_ASKS if teacher is not None else ())
        self._check_soft_labels(teacher is not None, soft_label_weight)
        self.soft_label_weight = soft_label_weight
        self.teacher: FrozenTeacher | None = None
        if teacher is not None:
            self.teacher = ALGORITHMS.build(teacher)
            remedy = 'take a teacher of the same data set, or change model.head.num_classes'
            check_outputs(self.teacher, self.head.out_channels, remedy, data_preprocessor)

    def extract(self, images: Tensor) -> Tensor:
        """Features: (N, 3, H, W) -> (N, D), the neck's output.

        Images of two axes are features (N, D) that the frozen trunk has made already; they are given back.

        Raises:
            ConfigError: there are such features, and a part of the trunk learns.
        """
        if images.dim() != 2:
            return super().extract(images)
        if not self.trunk_frozen:
            raise ConfigError(
                f'features that are made already, {tuple(images.shape)}, are of a trunk that stays as '
                f"it is: set model.frozen=['backbone', 'neck'] (it is {list(self.frozen)}), or train on "
                'images'
            )
        return images

    @property
    def trunk_frozen(self) -> bool:
        """Whether neither backbone nor neck learns."""
        return {'backbone', 'neck'} <= set(self.frozen)

    def describe(self, images: Tensor) -> dict[str, Tensor]:
        """``features`` (N, D) and the logits as ``scores`` (N, classes).

        Of a LinearRates head the scores are (N, rates, classes), beside the ``learning_rates``, float64 (N, rates).
        """
        features = self.extract(images)
        described = {'features': features, 'scores': self.head(features)}
        rates = getattr(self.head, 'learning_rates', None)
        if rates is not None:
            described['learning_rates'] = torch.tensor(rates, dtype=torch.float64).expand(len(features), -1)
        return described

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of one batch with its labels (N,).

        Returns:
            ``loss``; for the log ``top1`` and ``top5`` in percent, and with a teacher ``teacher_top1`` and ``kl``, the
            mean of KL(teacher || student) in nats. The right class of a mixed image is the one of its larger share.

        Raises:
            ConfigError: the data set has no labels.
        """
        (view,) = self.take_views(images)
        if labels is None:
            raise ConfigError('Classifier needs labels, and the data set gave none: take one with labels')
        view, targets = (view, labels) if self.mixing is None else self.mixing(view, labels)
        logits = self.head(self.extract(view))
        losses = self.head.loss(logits, targets)
        if self.teacher is None:
            return losses
        answers = self.teacher(view)
        soft = self.head.distill(logits, answers)
        weight = self.soft_label_weight
        return dict(
            losses,
            loss=weight * soft['loss'] + (1 - weight) * losses['loss'],
            kl=soft['kl'],
            teacher_top1=self.head.rates(answers, targets)['top1'],
        )

    def _choose_what_learns(self, frozen: Sequence[str], learns: str) -> None:
        for name in frozen:
            if name not in PARTS:
                raise ConfigError(f'Classifier has no part {name!r} to freeze; {nearest_names(name, PARTS)}')
        if learns not in ('all', 'norms'):
            raise ConfigError(f"learns {learns!r} of Classifier is unknown: take 'all' or 'norms'")
        if learns == 'norms':
            self.requires_grad_(False)
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.requires_grad_(True)
        self.freeze(frozen)
        if not any(parameter.requires_grad for parameter in self.parameters()):
            raise ConfigError(f'frozen {list(frozen)} with learns={learns!r} leaves nothing that learns')

    def _check_soft_labels(self, distils: bool, weight: float) -> None:
        if not 0 < weight <= 1:
            raise ConfigError(
                f'soft_label_weight {weight!r} must lie in (0, 1]: 1 learns from the teacher alone; '
                'for the labels alone leave the teacher out'
            )
        if not distils and weight != 1:
            raise ConfigError(
                f'soft_label_weight {weight} balances two losses, and Classifier without a teacher has '
                'one: leave it out, or give a teacher'
            )
        if distils and weight == 1 and self.head.label_smoothing:
            raise ConfigError(
                f'head.label_smoothing {self.head.label_smoothing} smooths hard labels, and '
                'soft_label_weight=1 never reads them: leave it out, or lower soft_label_weight'
            )


def build_mixing(mix: Sequence[Mapping[str, Any]], num_classes: int) -> v2.Transform | None:
    """What mixes a batch: images (N, C, H, W), labels (N,) -> the same shape, targets (N, num_classes).

    One of ``mix`` is drawn for every batch, each as likely as the others, with one share from Beta(alpha, alpha). Both
    come from torch's generator of the CPU, so that nothing waits for the device.

    Args:
        mix: configs, ``dict(type='MixUp', alpha=0.2)`` or ``dict(type='CutMix', alpha=1.0)``; alpha is 1 by default.
        num_classes: of the labels.

    Returns:
        None where ``mix`` is empty.

    Raises:
        ConfigError: an unknown type or key, or an alpha that is not positive.
    """
    return v2.RandomChoice([_build_one(config, num_classes) for config in mix]) if mix else None


def _build_one(config: Mapping[str, Any], num_classes: int) -> v2.Transform:
    if config.get('type') not in KINDS:
        raise ConfigError(f'mix does not know {config.get("type")!r}; {nearest_names(str(config.get("type")), KINDS)}')
    for key in config:
        if key not in ('type', 'alpha'):
            raise ConfigError(f'{config["type"]} of mix does not take {key!r}; {nearest_names(key, ("alpha",))}')
    alpha = config.get('alpha', 1.0)
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < float('inf'):
        raise ConfigError(
            f'alpha {alpha!r} of {config["type"]} must be a positive number; 0.2 for MixUp and 1 for CutMix are usual'
        )
    return KINDS[config['type']](alpha=alpha, num_classes=num_classes)
