"""Every label-free method on the digits: one binary network, one teacher a seed, at most 60 core-seconds a stage.

python benchmarks/digits/table.py selfsup

Here: the table in benchmarks/RESULTS.md.
"""

_S2BNN = 'configs/selfsup/s2bnn'
_TEACHER = {'model.teacher.checkpoint': 'teacher'}

title = 'Label-free methods on the digits, binary ReActNet'
work_dir = 'work_dirs/selfsup_digits'
steps = [
    dict(name='teacher', config='configs/selfsup/moco/reactnet_real_digits.py', weights='multi'),
    dict(name='contrastive_step1', config=f'{_S2BNN}/contrastive_step1_digits.py', weights='multi'),
    dict(name='contrastive', config=f'{_S2BNN}/contrastive_step2_digits.py', inputs={'load_from': 'contrastive_step1'}),
    dict(
        name='contrastive_distillation_step1',
        config=f'{_S2BNN}/contrastive_distillation_step1_digits.py',
        inputs=_TEACHER,
        weights='multi',
    ),
    dict(
        name='contrastive_distillation',
        config=f'{_S2BNN}/contrastive_distillation_step2_digits.py',
        inputs=dict(_TEACHER, load_from='contrastive_distillation_step1'),
    ),
    dict(name='distillation_step1', config=f'{_S2BNN}/distillation_step1_digits.py', inputs=_TEACHER, weights='multi'),
    dict(
        name='distillation',
        config=f'{_S2BNN}/distillation_step2_digits.py',
        inputs=dict(_TEACHER, load_from='distillation_step1'),
    ),
    dict(
        name='burn_stage1',
        config='configs/selfsup/burn/stage1_digits.py',
        inputs=_TEACHER,
        weights='multi',
        options={'train_cfg.max_epochs': 26},
    ),
    dict(
        name='burn',
        config='configs/selfsup/burn/stage2_digits.py',
        inputs=dict(_TEACHER, load_from='burn_stage1'),
        options={'train_cfg.max_epochs': 26},
    ),
    dict(name='byol_step1', config='configs/selfsup/byol/reactnet_step1_digits.py', weights='multi'),
    dict(name='byol', config='configs/selfsup/byol/reactnet_step2_digits.py', inputs={'load_from': 'byol_step1'}),
    dict(name='simsiam_step1', config='configs/selfsup/simsiam/reactnet_step1_digits.py', weights='multi'),
    dict(
        name='simsiam', config='configs/selfsup/simsiam/reactnet_step2_digits.py', inputs={'load_from': 'simsiam_step1'}
    ),
    dict(name='swav_step1', config='configs/selfsup/swav/reactnet_step1_digits.py', weights='multi'),
    dict(name='swav', config='configs/selfsup/swav/reactnet_step2_digits.py', inputs={'load_from': 'swav_step1'}),
    dict(name='supervised', config='configs/supervised/reactnet_digits.py'),
    dict(name='random', kind='init', config='configs/benchmarks/features/random_binary_digits.py'),
    dict(name='raw_pixels', kind='init', config='configs/benchmarks/features/raw_pixels.py'),
]
rows = {
    'random binary': 'random',
    'MoCo v2, tuned': 'contrastive',
    '+ distillation': 'contrastive_distillation',
    'distillation only': 'distillation',
    'BURN': 'burn',
    'BYOL': 'byol',
    'SimSiam': 'simsiam',
    'SwAV': 'swav',
    'supervised': 'supervised',
    'raw pixels': 'raw_pixels',
    'real teacher (MoCo v2)': 'teacher',
}
test = 'configs/benchmarks/features/digits.py'
