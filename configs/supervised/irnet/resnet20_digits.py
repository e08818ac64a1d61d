"""IR-Net's weights and gradients (arXiv:1909.10788) in ReCU's ResNet-20, on the digits: 100 epochs by ReCU's recipe.

Each filter standardised, its sign shifted by a power of two; backward the slope of a tanh whose sharpness
t grows from 0.1 to 10 by epoch (k = max(1 / t, 1)). 6.75e4 OPs for an image of 8 x 8 px.
Here: 95.1 top-1, mean of 3 seeds (94.4..95.8); ReCU by the same recipe: 95.4. `python tools/train.py CONFIG --seed N`,
N = 0, 1, 2, then tools/test.py, at 1bd1b6f on 2 CPU cores.
"""

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
