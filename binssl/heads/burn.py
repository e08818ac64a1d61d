"""BURN's loss: a joint classifier's KL divergence balanced with feature similarity (arXiv:2110.08851).

The defaults are the paper's; comments say where the released code departs from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn
from torch.nn import functional as F

from binssl.core.precision import at_least_float32, same_precision
from binssl.core.scheduled import Scheduled
from binssl.registry import HEADS, NECKS, ConfigError, nearest_names


def kl_divergence(student: Tensor, target: Tensor, temperature: float | Tensor) -> Tensor:
    """KL(softmax(target / T) || softmax(student / T)): sum over classes, mean over the batch, no factor T^2.

    The gradient goes into both.

    Shape: (N, C), (N, C) -> ().
    """
    student, target = same_precision(student, target)
    return F.kl_div(
        (student / temperature).log_softmax(dim=1),
        (target / temperature).log_softmax(dim=1),
        log_target=True,
        reduction='batchmean',
    )


def cosine_distance(student: Tensor, target: Tensor) -> Tensor:
    """2 - 2 cos, the squared distance of unit vectors, mean over the batch. Shape: (N, D), (N, D) -> ()."""
    student, target = same_precision(student, target)
    return 2 - 2 * F.cosine_similarity(student, target).mean()


def squared_distance(student: Tensor, target: Tensor) -> Tensor:
    """Squared difference, summed over dimensions, mean over the batch. Shape: (N, D), (N, D) -> ()."""
    student, target = same_precision(student, target)
    return (student - target).square().sum(dim=1).mean()


def absolute_distance(student: Tensor, target: Tensor) -> Tensor:
    """Absolute difference, summed over dimensions, mean over the batch. Shape: (N, D), (N, D) -> ()."""
    student, target = same_precision(student, target)
    return (student - target).abs().sum(dim=1).mean()


def balance(kl: Tensor, feature_distance: Tensor, kl_weight: float | Tensor) -> Tensor:
    """``(1 - w) L_FS + w L_KL``: w, the weight of the KL divergence, goes from 0.1 to 0.3 in the paper."""
    return (1 - kl_weight) * feature_distance + kl_weight * kl


@torch.no_grad()
def mean_entropy(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """H(p) in nats, p = softmax(logits / T), mean over the batch: from 0, one class, to ln C, all alike.

    Shape: (N, C) -> (), detached, in float32 at least.
    """
    return torch.special.entr(_probabilities(logits, temperature)).sum(dim=1).mean()


@torch.no_grad()
def mutual_information(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """I(image; class) = H(mean p) - mean H(p) in nats, p = softmax(logits / T), over all processes' images.

    0 where every image gets the same answer, as in the trivial solution of BURN's joint loss; at most the log
    of the number of images, or of classes. Every process must call it, with equally many images.

    Shape: (N, C) -> (), detached.
    """
    probabilities = _probabilities(logits, temperature)
    entropy = torch.special.entr(probabilities).sum(dim=1).mean()
    # (C,) and () -> (C + 1,): one message to the other processes
    means = torch.cat([probabilities.mean(dim=0), entropy.view(1)])
    all_reduce(means, op='mean')
    return torch.special.entr(means[:-1]).sum() - means[-1]


def _probabilities(logits: Tensor, temperature: float | Tensor) -> Tensor:
    return (at_least_float32(logits.detach()) / temperature).softmax(dim=1)


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'cosine': cosine_distance,
    'squared': squared_distance,
    'absolute': absolute_distance,
}


@HEADS.register_module()
class BURNHead(Scheduled):
    """The student's classifier l and the loss that pulls student and target together.

    loss = (1 - w) distance(k, h) + w KL(g || l), w = ``kl_weight``; where one of the two terms is switched
    off, the other one alone, unweighted (the rows of the paper's ablation).

    Shape: features of the student (N, D) -> logits (N, C).

    Args:
        projector: config of a neck, the classifier l; None where no term of the loss reads its outputs.
        kl_weight: w, in [0, 1]; scheduled.
        temperature: of both softmaxes; may be scheduled.
        feature_similarity: 'features' compares what the two extractors give, as in the paper's figure;
            'outputs' what the two classifiers give, as the release does; None leaves the term out.
        distance: 'cosine' (2 - 2 cos, the paper's), 'squared' or 'absolute', which the release has too.
        feature_channels: width of the target's features. Where it differs from the student's, a learned
            linear map brings the student's to it.
        in_channels: width of the student's features; read off the projector where there is one.
        kl: whether the KL divergence of the classifiers is part of the loss.

    Raises:
        ConfigError: a number outside its range, an unknown name, no term left, a projector that is missing or
            that nothing would train.
    """

    kl_weight: Tensor
    temperature: Tensor

    def __init__(
        self,
        projector: dict | None,
        kl_weight: float = 0.1,
        temperature: float = 0.2,
        feature_similarity: str | None = 'features',
        distance: str = 'cosine',
        feature_channels: int | None = None,
        in_channels: int | None = None,
        kl: bool = True,
    ) -> None:
        super().__init__()
        _check_switches(feature_similarity, distance, kl, projector)
        self.keep_scheduled('kl_weight', kl_weight, 0, 1)
        self.keep_scheduled('temperature', temperature, 0, math.inf, open_low=True)
        self.kl, self.feature_similarity = kl, feature_similarity
        self.distance = DISTANCES[distance]
        self.projector = None if projector is None else NECKS.build(projector)
        self.in_channels = in_channels if self.projector is None else self.projector.in_channels
        self.out_channels = in_channels if self.projector is None else self.projector.out_channels
        if in_channels not in (None, self.in_channels):
            raise ConfigError(
                f'in_channels {in_channels} of BURNHead is not what its projector takes, '
                f'{self.in_channels}; leave it out'
            )
        self.feature_map = self._build_feature_map(feature_channels)

    def _build_feature_map(self, feature_channels: int | None) -> nn.Linear | None:
        # The paper does not say how its 1024 and 2048 features are compared. The map stands on the student's
        # side: on the target's it could bring the target to a constant, and the term would teach nothing.
        if self.feature_similarity != 'features' or feature_channels in (None, self.in_channels):
            return None
        if self.in_channels is None:
            raise ConfigError(
                "BURNHead without a projector needs in_channels, the width of the student's "
                f'features, to map them to {feature_channels}'
            )
        return nn.Linear(self.in_channels, feature_channels)

    @property
    def compares_outputs(self) -> bool:
        """Whether a term of the loss reads the outputs of the two classifiers."""
        return self.kl or self.feature_similarity == 'outputs'

    @property
    def target_channels(self) -> int | None:
        """The width that the target's features must have; None where they are not compared, or not known."""
        if self.feature_similarity != 'features':
            return None
        return self.in_channels if self.feature_map is None else self.feature_map.out_features

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> logits (N, C), before the softmax; the features where there is no classifier."""
        return features if self.projector is None else self.projector(features)

    def loss(
        self, features: Tensor, outputs: Tensor, target_features: Tensor, target_outputs: Tensor
    ) -> dict[str, Tensor]:
        """The loss for one view of the student and another of the target.

        Args:
            features: k's, (N, D).
            outputs: l's, (N, C).
            target_features: h's, (N, H).
            target_outputs: g's, (N, C); not read where they are not compared.

        Returns:
            ``loss``, and of ``kl`` and ``feature_distance`` what is part of it; beside ``kl`` the entropies of its two
            softmaxes, ``teacher_entropy`` and ``student_entropy``, in nats, mean over the batch, detached.
        """
        terms, entropies = {}, {}
        if self.kl:
            terms['kl'] = kl_divergence(outputs, target_outputs, self.temperature)
            both = {'teacher_entropy': target_outputs, 'student_entropy': outputs}
            entropies = {name: mean_entropy(logits, self.temperature) for name, logits in both.items()}
        if self.feature_similarity == 'features':
            mapped = features if self.feature_map is None else self.feature_map(features)
            terms['feature_distance'] = self.distance(mapped, target_features)
        elif self.feature_similarity == 'outputs':
            terms['feature_distance'] = self.distance(outputs, target_outputs)
        if len(terms) == 1:
            return {'loss': next(iter(terms.values())), **terms, **entropies}
        # a 0-dim float64 would make the loss one too
        return {'loss': balance(**terms, kl_weight=self.kl_weight.to(terms['kl'].dtype)), **terms, **entropies}

    def information(self, target_outputs: Tensor) -> Tensor:
        """Mutual information of image and class in g's answers (N, C), nats, over all processes."""
        return mutual_information(target_outputs, self.temperature)


def _check_switches(feature_similarity: str | None, distance: str, kl: bool, projector: dict | None) -> None:
    if feature_similarity not in ('features', 'outputs', None):
        raise ConfigError(f"feature_similarity {feature_similarity!r} is unknown: take 'features', 'outputs' or None")
    if distance not in DISTANCES:
        raise ConfigError(f'distance {distance!r} is unknown; {nearest_names(distance, DISTANCES)}')
    if not kl and feature_similarity is None:
        raise ConfigError('kl=False and feature_similarity=None leave BURNHead without a loss; switch one on')
    reads_outputs = kl or feature_similarity == 'outputs'
    if reads_outputs and projector is None:
        raise ConfigError('this loss compares the outputs of two classifiers: BURNHead needs a projector')
    if not reads_outputs and projector is not None:
        raise ConfigError("kl=False with feature_similarity='features' would never train the projector: set it to None")
