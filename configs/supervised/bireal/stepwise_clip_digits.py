"""Bi-Real Net step by step on the digits, 3 of 5: clip in place of the leaky clip.

Here, after all five: 94.6 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./stepwise_leaky_clip_digits.py']
model = dict(backbone=dict(conv_cfg=dict(activation=dict(_delete_=True, type='Clip'))))
load_from = 'work_dirs/supervised_digits/seed0/bireal_leaky_clip/weights.pth'
how_to_get = dict(
    load_from='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py --until bireal_leaky_clip'
)
