"""The real-valued twin of ReCU's ResNet-20 on the digits, by the same recipe; nothing in it has a tau."""

_base_ = ['./resnet20_digits.py']
model = dict(backbone=dict(conv_cfg=dict(_delete_=True, type='Conv2d')))
schedules = dict(tau=None)
