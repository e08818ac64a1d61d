"""S2-BNN on ImageNet: step 1, hand-over, step 2, linear evaluation, of distillation only; with --full of all its modes.

python tools/run_recipe.py configs/recipes/s2bnn.py --processes 8

400 epochs of 8 GPUs a mode before its linear evaluation; killed, the same command goes on. Published: 61.506 top-1, the
others in `rows`; here: not yet measured. The teacher is MoCo v2's (configs/_base_/models/s2bnn_imagenet.py says where
it is got).
"""

_S2BNN = 'configs/selfsup/s2bnn'
_LINEAR = 'configs/benchmarks/linear_classification/imagenet/s2bnn.py'

title = 'S2-BNN on ImageNet'
work_dir = 'work_dirs/recipes/s2bnn'
steps = [
    dict(name='step1', config=f'{_S2BNN}/distillation_step1.py', weights='multi'),
    dict(name='step2', config=f'{_S2BNN}/distillation_step2.py', inputs=dict(load_from='step1')),
    dict(name='linear', config=_LINEAR, inputs=dict(pretrained='step2'), weights='multi'),
    dict(name='both_step1', config=f'{_S2BNN}/contrastive_distillation_step1.py', weights='multi', optional=True),
    dict(name='both_step2', config=f'{_S2BNN}/contrastive_distillation_step2.py', inputs=dict(load_from='both_step1')),
    dict(name='both_linear', config=_LINEAR, inputs=dict(pretrained='both_step2'), weights='multi'),
    dict(name='contrastive_step1', config=f'{_S2BNN}/contrastive_step1.py', weights='multi', optional=True),
    dict(name='contrastive_step2', config=f'{_S2BNN}/contrastive_step2.py', inputs=dict(load_from='contrastive_step1')),
    dict(name='contrastive_linear', config=_LINEAR, inputs=dict(pretrained='contrastive_step2'), weights='multi'),
    dict(name='baseline', config='configs/selfsup/moco/reactnet.py', optional=True),
    dict(name='baseline_linear', config=_LINEAR, inputs=dict(pretrained='baseline'), weights='multi'),
]
rows = {
    'MoCo v2 (46.922)': 'baseline_linear',
    'MoCo v2, tuned (52.452)': 'contrastive_linear',
    'contrastive + distillation (56.022)': 'both_linear',
    'distillation only (61.506)': 'linear',
}
test = _LINEAR
