"""AdaBin's levels (arXiv:2208.08084) in ReCU's ResNet-20, on the digits: 100 epochs by ReCU's recipe.

Weights are mean +- deviation of their filter, activations two learned values a layer. 7.97e4 OPs for an image of 8 x 8
px, the centres' share included.
Here: 95.1 top-1, mean of 3 seeds (94.2..95.8); ReCU by the same recipe: 95.4. `python tools/train.py CONFIG --seed N`,
N = 0, 1, 2, then tools/test.py, at 1bd1b6f on 2 CPU cores.
"""

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
