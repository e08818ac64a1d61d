"""Hooks: steps around the iterations of a run."""

from binssl.hooks.activation_signs import ActivationSignHook
from binssl.hooks.anneal import AnnealHook
from binssl.hooks.checkpoint import CheckpointHook
from binssl.hooks.collapse import FeatureSpreadHook, InformationHook
from binssl.hooks.distributions import DistributionHook
from binssl.hooks.guards import FrozenHook, GradientAuditHook, NotANumberHook
from binssl.hooks.model_steps import CounterSeedHook, MomentumUpdateHook, PrototypeHook
from binssl.hooks.progress import ProgressHook
from binssl.hooks.schedule import Schedule
from binssl.hooks.weight_average import WeightAverageHook
from binssl.hooks.weight_signs import WeightSignHook
