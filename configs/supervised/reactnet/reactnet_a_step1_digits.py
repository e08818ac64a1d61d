"""ReActNet in two steps on the digits, 1 of 2: binary activations, real weights; a real twin's soft labels alone.

Here, after step 2: 95.9 top-1, mean of 3 seeds (benchmarks/RESULTS.md).
"""

_base_ = ['./reactnet_a_real_digits.py']
model = dict(
    backbone=dict(conv_cfg=dict(_delete_=True, type='BinaryConv2d', activation=dict(type='ApproxSign'))),
    teacher=dict(
        type='FrozenTeacher',
        backbone={{_base_.model.backbone}},
        head={{_base_.model.head}},
        checkpoint='work_dirs/supervised_digits/seed0/reactnet_real/weights.pth',
    ),
)
optim_wrapper = dict(optimizer=dict(lr=5e-3, weight_decay=1e-5), paramwise_cfg=dict(decay='four_axes'))
how_to_get = dict(
    teacher='make it with: python tools/run_recipe.py configs/recipes/supervised_digits.py --until reactnet_real'
)
