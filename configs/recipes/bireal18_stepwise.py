"""Bi-Real-18 step by step on ImageNet: three real networks, the binary one, its BatchNorms.

python tools/run_recipe.py configs/recipes/bireal18_stepwise.py --processes 4

151 epochs of 4 GPUs; killed, the same command goes on. Published: 56.4 top-1; here: not yet
measured. What is unverified stands in the configs.
"""

_STEP = 'configs/supervised/bireal/resnet18_stepwise'

title = 'Bi-Real-18 step by step on ImageNet'
work_dir = 'work_dirs/recipes/bireal18_stepwise'
steps = [
    dict(name='relu', config=f'{_STEP}_relu.py', weights='multi'),
    dict(name='leaky_clip', config=f'{_STEP}_leaky_clip.py', inputs=dict(load_from='relu'), weights='multi'),
    dict(name='clip', config=f'{_STEP}_clip.py', inputs=dict(load_from='leaky_clip'), weights='multi'),
    dict(name='binary', config=f'{_STEP}_binary.py', inputs=dict(load_from='clip'), weights='multi'),
    dict(name='norms', config=f'{_STEP}_norms.py', inputs=dict(load_from='binary'), weights='multi'),
]
rows = {'Bi-Real-18, both binary': 'binary', 'weights at +-1 (56.4)': 'norms'}
test = 'own'
