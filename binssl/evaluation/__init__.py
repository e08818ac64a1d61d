"""Metrics: what frozen features are worth, and how often a classifier is right."""

from binssl.evaluation.accuracy import Accuracy, topk_hits
from binssl.evaluation.gather import (
    EvaluationError,
    FeatureMetric,
    FeatureSplit,
    GatheredMetric,
    split_features,
)
from binssl.evaluation.linear import (
    FewShotAccuracy,
    LinearAccuracy,
    few_shot_accuracy,
    fit_logistic,
    linear_accuracy,
)
from binssl.evaluation.nearest_neighbours import KNNAccuracy, knn_accuracy

__all__ = ['Accuracy', 'EvaluationError', 'FeatureMetric', 'FeatureSplit', 'FewShotAccuracy',
           'GatheredMetric', 'KNNAccuracy', 'LinearAccuracy', 'few_shot_accuracy', 'fit_logistic',
           'knn_accuracy', 'linear_accuracy', 'split_features', 'topk_hits']
