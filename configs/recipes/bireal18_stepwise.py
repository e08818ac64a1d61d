"""Bi-Real-18 step by step on ImageNet: three real networks, the binary one, its BatchNorms.

python tools/run_recipe.py configs/recipes/bireal18_stepwise.py --processes 4

151 epochs of 4 GPUs; killed, the same command goes on. Published: 56.4 top-1; here: not yet
measured. What is unverified stands in the configs.
"""

_base_ = ['../_base_/recipes/bireal_stepwise.py']
title = 'Bi-Real-18 step by step on ImageNet'
work_dir = 'work_dirs/recipes/bireal18_stepwise'
configs = 'configs/supervised/bireal/resnet18_stepwise'
rows = {'Bi-Real-18, both binary': 'binary', 'weights at +-1 (56.4)': 'norms'}
