"""S2-BNN, distillation only, on the digits, with a real-valued student of torchvision's.

Here: not yet measured.
"""

_base_ = ['./distillation_step1_digits.py']
model = dict(
    backbone=dict(_delete_=True, type='TorchvisionModel', name='mobilenet_v2'),
    head=dict(projector=dict(in_channels=1280)),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=5)
