"""ReActNet-A on ImageNet in two steps: binary activations, then both binary.

python tools/run_recipe.py configs/recipes/reactnet_a.py --processes 8

512 epochs of 8 GPUs; killed, the same command goes on. Published: 69.4 top-1; here: not yet measured. The
teacher is torchvision's (configs/_base_/models/soft_labels_imagenet.py says where it is got).
"""

_base_ = ['../_base_/recipes/two_steps.py']
title = 'ReActNet-A on ImageNet'
work_dir = 'work_dirs/recipes/reactnet_a'
configs = 'configs/supervised/reactnet/reactnet_a'
rows = {'step 1 (70.114)': 'step1', 'ReActNet-A (69.4)': 'step2'}
