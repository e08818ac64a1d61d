"""Necks, between a backbone's maps and a head: pooling and MLPs."""

from binssl.necks.mlp import MLP
from binssl.necks.pool import PoolMLP
