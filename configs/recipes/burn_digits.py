"""BURN on the digits, from a real-valued extractor to binary features, and what to compare them with.

bash tools/quickstart.sh

Here: the table in README.md.
"""

_BURN = 'configs/selfsup/burn'

title = 'BURN on the digits'
work_dir = 'work_dirs/quickstart'
steps = [
    dict(name='teacher', config='configs/selfsup/moco/reactnet_real_digits.py', weights='multi'),
    dict(
        name='stage1',
        config=f'{_BURN}/stage1_digits.py',
        inputs={'model.teacher.checkpoint': 'teacher'},
        weights='multi',
    ),
    dict(
        name='stage2',
        config=f'{_BURN}/stage2_digits.py',
        inputs={'model.teacher.checkpoint': 'teacher', 'load_from': 'stage1'},
    ),
    dict(name='supervised', config='configs/supervised/reactnet_digits.py'),
    dict(
        name='feature_similarity_stage1',
        config=f'{_BURN}/feature_similarity_stage1_digits.py',
        inputs={'model.teacher.checkpoint': 'teacher'},
        weights='multi',
        optional=True,
    ),
    dict(
        name='feature_similarity',
        config=f'{_BURN}/feature_similarity_digits.py',
        inputs={'model.teacher.checkpoint': 'teacher', 'load_from': 'feature_similarity_stage1'},
        optional=True,
    ),
    dict(name='raw_pixels', kind='init', config='configs/benchmarks/features/raw_pixels.py'),
    dict(name='random_binary', kind='init', config='configs/benchmarks/features/random_binary_digits.py'),
    dict(name='random_real', kind='init', config='configs/selfsup/moco/reactnet_real_digits.py'),
]
rows = {
    'raw pixels': 'raw_pixels',
    'random binary': 'random_binary',
    'random real': 'random_real',
    'BURN stage 1 (binary activations)': 'stage1',
    'BURN stage 2 (binary)': 'stage2',
    'feature similarity alone (binary)': 'feature_similarity',
    'supervised binary': 'supervised',
    'real teacher (MoCo v2)': 'teacher',
}
test = 'configs/benchmarks/features/digits.py'
picture = dict(curves=['stage1', 'stage2'], embedding='stage2', dataset=dict(type='Digits', split='test'))
