"""BURN stage 1 under its published name (whose bs2048 is 256 x 8; with the accumulation a step has 4096)."""

_base_ = ['./stage1.py']
