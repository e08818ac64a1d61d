"""Bi-Real-34 step by step on ImageNet: three real networks, the binary one, its BatchNorms.

python tools/run_recipe.py configs/recipes/bireal34_stepwise.py --processes 8

171 epochs of 8 GPUs; killed, the same command goes on. Published: 62.2 top-1; here: not yet
measured. What is unverified stands in the configs.
"""

_base_ = ['../_base_/recipes/bireal_stepwise.py']
title = 'Bi-Real-34 step by step on ImageNet'
work_dir = 'work_dirs/recipes/bireal34_stepwise'
configs = 'configs/supervised/bireal/resnet34_stepwise'
rows = {'Bi-Real-34, both binary': 'binary', 'weights at +-1 (62.2)': 'norms'}
