"""Heads: a projector or classifier together with the loss that it owns."""

from binssl.heads.burn import BURNHead, mutual_information
from binssl.heads.contrastive import ContrastiveHead
from binssl.heads.cross_correlation import CrossCorrelationHead
from binssl.heads.detection import build_faster_rcnn, build_retinanet
from binssl.heads.distillation import DistillationHead
from binssl.heads.latent import LatentPredictionHead
from binssl.heads.linear import LinearHead, LinearRates
from binssl.heads.prototypes import PrototypeHead
