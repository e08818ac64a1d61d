"""XNOR-Net's ResNet on the digits, as Bi-Real Net's baseline by its recipe: a shortcut around each two convolutions.

Here: 94.6 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./scratch_digits.py']
model = dict(
    backbone=dict(
        convs_per_shortcut=2,
        shortcut='conv',
        conv_cfg=dict(
            type='BinaryConv2d',
            activation=dict(type='BoxSign'),
            weight=dict(type='ScaledSign', ste='clip', scale_gradient=True),
        ),
    )
)
