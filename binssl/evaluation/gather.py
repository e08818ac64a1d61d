"""Bases of the metrics: batches are kept, gathered over processes, and each sample counts once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.dist import gather_object
from mmengine.evaluator import BaseMetric
from torch import Tensor

from binssl.core.processes import by_the_first
from binssl.registry import ConfigError


class EvaluationError(ConfigError):
    """What is to be scored does not allow it: no labels, one class, too few samples, not finite."""


class SampleMetric(BaseMetric):
    """A metric that keeps, on the CPU, what it reads of each batch: the dict that ``mode='predict'`` gives.

    Subclasses name the entries they read in ``needs``, and in ``may_read`` those they read where there are any.
    """

    needs: tuple[str, ...] = ()
    may_read: tuple[str, ...] = ()
    default_prefix = ''

    def __init__(self) -> None:
        super().__init__()  # without mmengine's ways to gather, which are not ours

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep what the metric reads of one batch, on the CPU."""
        for batch in data_samples:
            self.check_batch(batch)
            read = (*self.needs, *(key for key in self.may_read if key in batch), 'indices')
            self.results.append(self.keep({key: _on_cpu(batch[key]) for key in read}))

    def check_batch(self, batch: Mapping[str, Any]) -> None:
        """Raises an EvaluationError where a batch lacks something that the metric reads."""
        missing = [key for key in (*self.needs, 'indices') if batch.get(key) is None]
        if missing:
            headless = '; a network without a head has no scores: test the checkpoint of a run with one, not its trunk'
            raise EvaluationError(
                f'{type(self).__name__} needs {", ".join(map(repr, missing))} of every '
                f'sample; the data set and the model give only {sorted(batch)}{headless if "scores" in missing else ""}'
            )

    def keep(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """What to store of a batch (all of it by default); ``indices`` must stay."""
        return batch


class GatheredMetric(SampleMetric):
    """A metric of all samples together, the same number with any number of processes.

    Samplers pad the processes' shares to equal length; a sample seen twice counts once, by its index, and samples
    are scored in the order of indices. Subclasses compute their results in :meth:`score`.
    """

    def evaluate(self, size: int) -> dict[str, float]:
        """The results over all processes, on every process.

        mmengine's own way writes files into the working folder and leaves the other processes waiting when
        the first one meets an error; here both travel by the process group.
        """
        shares = gather_object(self.results)
        try:
            return by_the_first(lambda: self.compute_metrics([batch for share in shares or [] for batch in share]))
        finally:
            self.results.clear()

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Join the batches, each sample once and in order, and score them."""
        if not results:
            raise EvaluationError(f'{type(self).__name__} was given no sample: the data set is empty')
        joined = {key: torch.cat([batch[key] for batch in results]) for key in results[0]}
        order = once_in_order(joined['indices'])
        return self.score({key: value[order] for key, value in joined.items()})

    @abstractmethod
    def score(self, samples: dict[str, Tensor]) -> dict[str, float]:
        """The results, in percent, of all samples: one row of each entry per sample."""


def once_in_order(indices: Tensor) -> Tensor:
    """Where to find each sample once, in the order of their ``indices`` (N,); of the same sample the first one."""
    rising, order = indices.sort(stable=True)
    first = torch.ones_like(rising, dtype=torch.bool)
    first[1:] = rising[1:] != rising[:-1]
    return order[first]


class FeatureSplit(NamedTuple):
    """Features to learn from, (N, D) with labels (N,), and features to score, (M, D) with labels (M,)."""

    bank: Tensor
    bank_labels: Tensor
    queries: Tensor
    query_labels: Tensor


def split_features(samples: Mapping[str, Tensor]) -> FeatureSplit:
    """Split samples by ``banks`` (True: its label may be learnt from); see :func:`check_samples`."""
    features, labels, banks = samples['features'], samples['labels'], samples['banks'].bool()
    check_samples(labels, banks, features.isfinite().all(1))
    return FeatureSplit(features[banks], labels[banks], features[~banks], labels[~banks])


def check_samples(labels: Tensor, banks: Tensor, finite: Tensor) -> None:
    """Whether samples can be scored by what others teach, from these facts of each.

    Args:
        labels: (N,), negative where unknown.
        banks: (N,), bool, True where the label may be learnt from.
        finite: (N,), bool, whether all its features are.

    Raises:
        EvaluationError: no bank or no query samples, labels missing (negative), fewer than two classes in the
            bank, or features that are not finite.
    """
    if banks.all() or not banks.any():
        what = 'query samples to score' if banks.all() else 'bank samples to learn from'
        raise EvaluationError(f'there are no {what}: evaluate on a BankAndQuery data set')
    if (labels < 0).any():
        raise EvaluationError(f'{int((labels < 0).sum())} of {len(labels)} samples have no label')
    if len(labels[banks].unique()) < 2:
        raise EvaluationError(f'the bank has only class {int(labels[banks][0])}; at least two are needed')
    if not finite.all():
        raise EvaluationError(
            f'the features of {int((~finite).sum())} of {len(finite)} samples are not '
            'finite: the network diverged or its weights are damaged'
        )


class FeatureMetric(GatheredMetric):
    """A metric of frozen features: learns from the bank samples, scores the others."""

    needs = ('features', 'labels', 'banks')

    def score(self, samples: dict[str, Tensor]) -> dict[str, float]:
        """See :class:`GatheredMetric`."""
        return self.score_features(split_features(samples))

    @abstractmethod
    def score_features(self, split: FeatureSplit) -> dict[str, float]:
        """The results, in percent."""


def class_name(column: int, classes: Sequence[str] | None) -> str:
    """``14 (person)``, or ``14`` where classes have no names."""
    return f'{column}' if classes is None else f'{column} ({classes[column]})'


def _on_cpu(value: Any) -> Tensor:
    value = torch.as_tensor(value).detach().cpu()
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
