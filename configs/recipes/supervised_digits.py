"""The supervised methods on the digits, each beside its real-valued twin under the same recipe.

python benchmarks/digits/table.py supervised; with --full also the other plans and recipes of the three papers.

Here: the table in benchmarks/RESULTS.md.
"""

_RECU = 'configs/supervised/recu'
_BIREAL = 'configs/supervised/bireal'
_REACTNET = 'configs/supervised/reactnet'

title = 'Supervised methods on the digits'
work_dir = 'work_dirs/supervised_digits'
steps = [
    dict(name='recu', config=f'{_RECU}/resnet20_digits.py', weights='multi'),
    dict(name='recu_real', config=f'{_RECU}/resnet20_real_digits.py', weights='multi'),
    dict(name='bireal_scratch', config=f'{_BIREAL}/scratch_digits.py', weights='multi'),
    dict(name='bireal_scratch_real', config=f'{_BIREAL}/scratch_real_digits.py', weights='multi'),
    dict(name='bireal_relu', config=f'{_BIREAL}/stepwise_relu_digits.py', weights='multi'),
    dict(
        name='bireal_leaky_clip',
        config=f'{_BIREAL}/stepwise_leaky_clip_digits.py',
        inputs={'load_from': 'bireal_relu'},
        weights='multi',
    ),
    dict(
        name='bireal_clip',
        config=f'{_BIREAL}/stepwise_clip_digits.py',
        inputs={'load_from': 'bireal_leaky_clip'},
        weights='multi',
    ),
    dict(
        name='bireal_binary',
        config=f'{_BIREAL}/stepwise_binary_digits.py',
        inputs={'load_from': 'bireal_clip'},
        weights='multi',
    ),
    dict(
        name='bireal_norms',
        config=f'{_BIREAL}/stepwise_norms_digits.py',
        inputs={'load_from': 'bireal_binary'},
        weights='multi',
    ),
    dict(name='reactnet_real', config=f'{_REACTNET}/reactnet_a_real_digits.py', weights='multi'),
    dict(
        name='reactnet_step1',
        config=f'{_REACTNET}/reactnet_a_step1_digits.py',
        inputs={'model.teacher.checkpoint': 'reactnet_real'},
        weights='multi',
    ),
    dict(
        name='reactnet_step2',
        config=f'{_REACTNET}/reactnet_a_step2_digits.py',
        inputs={'model.teacher.checkpoint': 'reactnet_real', 'load_from': 'reactnet_step1'},
        weights='multi',
    ),
    dict(
        name='recu_finetune',
        config=f'{_RECU}/resnet20_finetune_digits.py',
        inputs={'load_from': 'recu'},
        weights='multi',
        optional=True,
    ),
    dict(name='recu_resnet18', config=f'{_RECU}/resnet18_digits.py', weights='multi', optional=True),
    dict(name='recu_vgg_small', config=f'{_RECU}/vgg_small_digits.py', weights='multi', optional=True),
    dict(name='recu_imagenet', config=f'{_RECU}/imagenet_resnet18_digits.py', weights='multi', optional=True),
    dict(name='resnet_real', config=f'{_REACTNET}/resnet18_real_digits.py', weights='multi', optional=True),
    dict(
        name='resnet_step1',
        config=f'{_REACTNET}/resnet18_step1_digits.py',
        inputs={'model.teacher.checkpoint': 'resnet_real'},
        weights='multi',
        optional=True,
    ),
    dict(
        name='resnet_step2',
        config=f'{_REACTNET}/resnet18_step2_digits.py',
        inputs={'model.teacher.checkpoint': 'resnet_real', 'load_from': 'resnet_step1'},
        weights='multi',
        optional=True,
    ),
    dict(
        name='recu_step1',
        config=f'{_RECU}/twostage_step1_digits.py',
        inputs={'model.teacher.checkpoint': 'resnet_real'},
        weights='multi',
        optional=True,
    ),
    dict(
        name='recu_step2',
        config=f'{_RECU}/twostage_step2_digits.py',
        inputs={'model.teacher.checkpoint': 'resnet_real', 'load_from': 'recu_step1'},
        weights='multi',
        optional=True,
    ),
    dict(name='bireal50', config=f'{_BIREAL}/resnet50_scratch_digits.py', weights='multi', optional=True),
    dict(name='xnor', config=f'{_BIREAL}/xnor_digits.py', weights='multi', optional=True),
]
rows = {
    'ReCU ResNet-20': 'recu',
    'ReCU ResNet-20, real twin': 'recu_real',
    'Bi-Real from scratch': 'bireal_scratch',
    'Bi-Real from scratch, real twin': 'bireal_scratch_real',
    'Bi-Real step by step': 'bireal_norms',
    'Bi-Real step by step, real twin (its step 1)': 'bireal_relu',
    'ReActNet in two steps': 'reactnet_step2',
    'ReActNet, real twin (the teacher)': 'reactnet_real',
    'ReCU ResNet-20, finetuned': 'recu_finetune',
    'ReCU ResNet-18': 'recu_resnet18',
    'ReCU VGG-small, 16 px': 'recu_vgg_small',
    "ReCU ResNet-18, ImageNet's recipe": 'recu_imagenet',
    'ReCU in two stages': 'recu_step2',
    'ReActNet ResNet-18 in two steps': 'resnet_step2',
    'ReActNet ResNet-18, real twin (the teacher)': 'resnet_real',
    'Bi-Real-50 from scratch': 'bireal50',
    'XNOR-Net': 'xnor',
}
test = 'own'
