"""ReActNet's ResNet-18 in two steps on the digits, 2 of 2: both binary; starts from all of step 1.

Here: 97.7 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./resnet18_step1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
optim_wrapper = dict(optimizer=dict(weight_decay=0))
load_from = 'work_dirs/supervised_digits/seed0/resnet_step1/weights.pth'
how_to_get = dict(
    load_from='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py '
    '--full --until resnet_step1'
)
