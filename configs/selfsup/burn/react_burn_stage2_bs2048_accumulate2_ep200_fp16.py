"""BURN stage 2 under its published name (whose bs2048 is 256 x 8; with the accumulation a step has 4096)."""

_base_ = ['./stage2.py']
