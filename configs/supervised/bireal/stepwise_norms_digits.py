"""Bi-Real Net step by step on the digits, 5 of 5: weights at +-1, BatchNorms alone learn.

Here: 94.6 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./stepwise_binary_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(_delete_=True, type='BoxSign'))), learns='norms')
optim_wrapper = dict(optimizer=dict(lr=1e-3))
schedules = dict(lr=dict(_delete_=True, target='lr', curve='constant'))
train_cfg = dict(max_epochs=5)
load_from = 'work_dirs/supervised_digits/seed0/bireal_binary/weights.pth'
how_to_get = dict(
    load_from='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py --until bireal_binary'
)
