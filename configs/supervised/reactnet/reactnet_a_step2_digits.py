"""ReActNet in two steps on the digits, 2 of 2: both binary; starts from all of step 1.

Here: 95.9 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./reactnet_a_step1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
optim_wrapper = dict(optimizer=dict(weight_decay=0))
load_from = 'work_dirs/supervised_digits/seed0/reactnet_step1/weights.pth'
how_to_get = dict(
    load_from='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py --until reactnet_step1'
)
