"""Bi-Real Net step by step on the digits, 4 of 5: both binary, magnitude-aware gradient.

Here, after all five: 94.6 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./stepwise_clip_digits.py']
model = dict(
    backbone=dict(
        conv_cfg=dict(
            activation=dict(type='ApproxSign'), weight=dict(type='ScaledSign', ste='clip', scale_gradient=True)
        )
    )
)
optim_wrapper = dict(optimizer=dict(weight_decay=0))
schedules = dict(lr=dict(milestones=[20, 30]))
train_cfg = dict(max_epochs=40)
load_from = 'work_dirs/supervised_digits/seed0/bireal_clip/weights.pth'
how_to_get = dict(
    load_from='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py --until bireal_clip'
)
