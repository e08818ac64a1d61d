"""The binary digits network untrained, mean-pooled: with BURN's fc, random too, it is worse (26.9 against 36.1).

Here: 37.5 linear, 24.7 k-NN, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['../../_base_/models/reactnet_digits.py']
model = dict(type='Encoder')
