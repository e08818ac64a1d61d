"""Heads: a projector or classifier together with the loss that it owns."""

from binssl.heads.burn import BURNHead
from binssl.heads.collapse import feature_std
from binssl.heads.contrastive import ContrastiveHead
from binssl.heads.detection import build_faster_rcnn, build_retinanet
from binssl.heads.distillation import DistillationHead
from binssl.heads.information import mutual_information
from binssl.heads.latent import LatentPredictionHead
from binssl.heads.linear import LinearHead
from binssl.heads.linear_rates import LinearRates
from binssl.heads.prototypes import PrototypeHead

__all__ = [
    'BURNHead',
    'ContrastiveHead',
    'DistillationHead',
    'LatentPredictionHead',
    'LinearHead',
    'LinearRates',
    'PrototypeHead',
    'build_faster_rcnn',
    'build_retinanet',
    'feature_std',
    'mutual_information',
]
