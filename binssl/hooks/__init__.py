"""Hooks: what happens around the iterations of a run; one idea a file."""

from binssl.hooks.anneal import AnnealHook, Schedule
from binssl.hooks.checkpoint import CheckpointHook
from binssl.hooks.counter_seed import CounterSeedHook
from binssl.hooks.gradient_audit import GradientAuditHook
from binssl.hooks.information import InformationHook
from binssl.hooks.momentum import MomentumUpdateHook
from binssl.hooks.not_a_number import NotANumberHook
from binssl.hooks.progress import ProgressHook
from binssl.hooks.prototypes import PrototypeHook

__all__ = [
    'AnnealHook',
    'CheckpointHook',
    'CounterSeedHook',
    'GradientAuditHook',
    'InformationHook',
    'MomentumUpdateHook',
    'NotANumberHook',
    'ProgressHook',
    'PrototypeHook',
    'Schedule',
]
