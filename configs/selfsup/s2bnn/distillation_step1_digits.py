"""S2-BNN on the digits, distillation only, step 1: binary activations, real weights; one view of each image.

Settings chosen on held-out training images, linear / k-NN / 1 label a class, seed 0, 50 epochs: 93.1 / 86.8 / 62.9,
step 2 96.9 / 92.0 / 63.2.
Here, after step 2: 93.0 linear, 90.7 k-NN, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = [
    '../../_base_/datasets/digits_one_view.py',
    '../../_base_/models/s2bnn_digits.py',
    '../../_base_/runtime.py',
    '../../_base_/schedules/adamw_digits.py',
]
optim_wrapper = dict(optimizer=dict(lr=5e-3))
train_cfg = dict(type='EpochLoop', max_epochs=50)
