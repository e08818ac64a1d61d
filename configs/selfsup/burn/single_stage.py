"""BURN in one stage, ImageNet: both binary from the start, initialised as stage 1 is.

8 GPUs x 256 x 2 = 4096 images a step, 200 epochs. Paper: 61.43 linear top-1; here: not yet measured.
"""

_base_ = ['./stage2.py']
load_from = None
