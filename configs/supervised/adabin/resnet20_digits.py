"""AdaBin's ResNet-20 (arXiv:2208.08084) on the digits."""

_base_ = ['../recu/resnet20_digits.py']
model = dict(
    backbone=dict(
        conv_cfg=dict(
            activation=dict(type='AdaptiveActivationSign'),
            weight=dict(_delete_=True, type='AdaptiveWeightSign'),
            scale=None,
        )
    )
)
schedules = dict(tau=None)
