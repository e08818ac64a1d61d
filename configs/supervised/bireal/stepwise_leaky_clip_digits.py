"""Bi-Real Net step by step on the digits, 2 of 5: leaky clip in place of ReLU.

Here, after all five: 94.6 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./stepwise_relu_digits.py']
model = dict(backbone=dict(conv_cfg=dict(activation=dict(type='LeakyClip', slope=0.1))))
schedules = dict(lr=dict(milestones=[10, 15]))
train_cfg = dict(max_epochs=20)
load_from = 'work_dirs/supervised_digits/seed0/bireal_relu/weights.pth'
how_to_get = dict(
    load_from='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py --until bireal_relu'
)
