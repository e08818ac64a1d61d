"""Metrics of features and classifiers, and the costs of networks."""

from binssl.evaluation.accuracy import Accuracy, topk_hits
from binssl.evaluation.average_precision import DetectionAP, detection_ap
from binssl.evaluation.cost import CostReport, LayerCost, measure_cost
from binssl.evaluation.deployed import find_input_size, measure_config
from binssl.evaluation.gather import EvaluationError, FeatureMetric, FeatureSplit, GatheredMetric, split_features
from binssl.evaluation.linear import FewShotAccuracy, LinearAccuracy, few_shot_accuracy, fit_logistic, linear_accuracy
from binssl.evaluation.linear_svm import LinearSVM
from binssl.evaluation.nearest_neighbours import KNNAccuracy
from binssl.evaluation.neighbour_search import check_neighbours
