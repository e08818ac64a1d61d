"""Heads: a projector or classifier together with the loss that it owns."""

from binssl.heads.burn import BURNHead
from binssl.heads.contrastive import ContrastiveHead
from binssl.heads.distillation import DistillationHead
from binssl.heads.information import mutual_information
from binssl.heads.linear import LinearHead

__all__ = ['BURNHead', 'ContrastiveHead', 'DistillationHead', 'LinearHead', 'mutual_information']
