"""Bi-Real Net from scratch on the digits: Adam, rate (1 - (e+1)/E), label smoothing, a binary network from the start.

Weights start by our rule (Kaiming, fan out; classifier N(0, 0.01^2)), as its twins' do. By the release's three seeds
had 95.3, 92.2 and 96.4: --cfg-options model.backbone.init=torch_positive model.head.init=torch.
Here: 94.8 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = [
    '../../_base_/models/imagenet.py',
    '../../_base_/schedules/adam_linear_imagenet.py',
    '../../_base_/supervised_digits.py',
]
model = dict(
    type='Classifier',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(type='ResNet', widths=[16, 32, 64], depths=[1, 1, 1], stem='small', input_size=8),
    head=dict(type='LinearHead', num_classes=10, in_channels=64, label_smoothing=0.1),
)
global_batch_size = None
optim_wrapper = dict(optimizer=dict(lr=5e-3))
train_cfg = dict(max_epochs=60)
