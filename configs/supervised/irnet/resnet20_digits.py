"""IR-Net's ResNet-20 (arXiv:1909.10788) on the digits."""

_base_ = ['../recu/resnet20_digits.py']
_TANH = dict(type='TanhGradient', sharpness=0.1)
model = dict(
    backbone=dict(
        conv_cfg=dict(
            activation=dict(type='Sign', gradient=_TANH),
            weight=dict(_delete_=True, type='BalancedSign', gradient=_TANH),
            scale=None,
        )
    )
)
schedules = dict(
    tau=None, sharpness=dict(target='backbone.*.sharpness', curve='geometric', start=0.1, end=10.0, by='epoch')
)
