"""ReCU in two stages on the digits, stage 2: both binary; starts from all of stage 1.

Here: 97.2 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./twostage_step1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='RectifiedSign', tau=0.85))))
optim_wrapper = dict(optimizer=dict(weight_decay=0))
schedules = dict(
    tau=dict(_delete_=True, target='backbone.*.tau', curve='exponential', start=0.85, end=0.99, by='epoch')
)
load_from = 'work_dirs/supervised_digits/seed0/recu_step1/weights.pth'
how_to_get = dict(
    load_from='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py --full --until recu_step1'
)
