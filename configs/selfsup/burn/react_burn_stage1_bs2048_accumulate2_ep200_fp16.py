"""BURN stage 1 under the name of its release, whose bs2048 is 256 x 8; with the accumulation a step has 4096."""

_base_ = ['./released_stage1.py']
