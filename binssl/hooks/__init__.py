"""Hooks: what happens around the iterations of a run; one idea a file."""

from binssl.hooks.activation_signs import ActivationSignHook
from binssl.hooks.anneal import AnnealHook
from binssl.hooks.checkpoint import CheckpointHook
from binssl.hooks.counter_seed import CounterSeedHook
from binssl.hooks.distributions import DistributionHook
from binssl.hooks.feature_spread import FeatureSpreadHook
from binssl.hooks.frozen import FrozenHook
from binssl.hooks.gradient_audit import GradientAuditHook
from binssl.hooks.information import InformationHook
from binssl.hooks.momentum import MomentumUpdateHook
from binssl.hooks.not_a_number import NotANumberHook
from binssl.hooks.progress import ProgressHook
from binssl.hooks.prototypes import PrototypeHook
from binssl.hooks.schedule import Schedule
from binssl.hooks.weight_average import WeightAverageHook
from binssl.hooks.weight_signs import WeightSignHook

__all__ = [
    'ActivationSignHook',
    'AnnealHook',
    'CheckpointHook',
    'CounterSeedHook',
    'DistributionHook',
    'FeatureSpreadHook',
    'FrozenHook',
    'GradientAuditHook',
    'InformationHook',
    'MomentumUpdateHook',
    'NotANumberHook',
    'ProgressHook',
    'PrototypeHook',
    'Schedule',
    'WeightAverageHook',
    'WeightSignHook',
]
