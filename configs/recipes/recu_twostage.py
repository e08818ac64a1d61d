"""ReCU in two stages (ReActNet-like ResNet-18) on ImageNet.

python tools/run_recipe.py configs/recipes/recu_twostage.py --processes 8

512 epochs of 8 GPUs; killed, the same command goes on. Published: 66.4 top-1; here: not yet measured. Its stage 1 is
unverified. The teacher is torchvision's (configs/_base_/models/soft_labels_imagenet.py says where it is got).
"""

_base_ = ['../_base_/recipes/two_steps.py']
title = 'ReCU in two stages on ImageNet'
work_dir = 'work_dirs/recipes/recu_twostage'
configs = 'configs/supervised/recu/imagenet_twostage'
rows = {'stage 1': 'step1', 'ReCU, two stages (66.4)': 'step2'}
