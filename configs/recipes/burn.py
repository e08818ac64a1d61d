"""BURN on ImageNet: stage 1, hand-over, stage 2, linear evaluation.

python tools/run_recipe.py configs/recipes/burn.py --processes 8

400 epochs of 8 GPUs before the linear evaluation; killed, the same command goes on. Published: 62.29 top-1;
here: not yet measured. The extractor is MoCo v2's (configs/_base_/models/burn_imagenet.py says where it is got).
"""

_BURN = 'configs/selfsup/burn'
_LINEAR = 'configs/benchmarks/linear_classification/imagenet/burn.py'

title = 'BURN on ImageNet'
work_dir = 'work_dirs/recipes/burn'
steps = [
    dict(name='stage1', config=f'{_BURN}/stage1.py', weights='multi'),
    dict(name='stage2', config=f'{_BURN}/stage2.py', inputs=dict(load_from='stage1')),
    dict(name='linear', config=_LINEAR, inputs=dict(pretrained='stage2'), weights='multi'),
]
rows = {'BURN (62.29)': 'linear'}
test = _LINEAR
