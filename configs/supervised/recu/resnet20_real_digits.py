"""The real-valued twin of ReCU's ResNet-20 on the digits, by the same recipe; nothing in it has a tau.

Here: 97.3 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./resnet20_digits.py']
model = dict(backbone=dict(conv_cfg=dict(_delete_=True, type='Conv2d')))
schedules = dict(tau=None)
