"""ReActNet's ResNet-18 on ImageNet in two steps: binary activations, then both binary.

python tools/run_recipe.py configs/recipes/reactnet18.py --processes 8

512 epochs of 8 GPUs; killed, the same command goes on. Published: 65.9 top-1; here: not yet measured. The
teacher is torchvision's (configs/_base_/models/soft_labels_imagenet.py says where it is got).
"""

_base_ = ['../_base_/recipes/two_steps.py']
title = 'ReActNet-18 on ImageNet'
work_dir = 'work_dirs/recipes/reactnet18'
configs = 'configs/supervised/reactnet/resnet18'
rows = {'step 1': 'step1', 'ReActNet-18 (65.9)': 'step2'}
