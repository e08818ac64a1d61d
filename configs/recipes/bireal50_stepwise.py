"""Bi-Real-50 step by step on ImageNet: three real networks, the binary one, its BatchNorms.

python tools/run_recipe.py configs/recipes/bireal50_stepwise.py --processes 8

171 epochs of 8 GPUs; killed, the same command goes on. Published: 62.6 top-1; here: not yet
measured. What is unverified stands in the configs.
"""

_base_ = ['../_base_/recipes/bireal_stepwise.py']
title = 'Bi-Real-50 step by step on ImageNet'
work_dir = 'work_dirs/recipes/bireal50_stepwise'
configs = 'configs/supervised/bireal/resnet50_stepwise'
rows = {'Bi-Real-50, both binary': 'binary', 'weights at +-1 (62.6)': 'norms'}
