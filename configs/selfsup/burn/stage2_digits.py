"""BURN, stage 2 on the digits: both binary; trunk and both heads of stage 1 go on.

256 images a step: four batches of 64 in one process, two each in two. Linear / k-NN / 1 label a class, seed 0:

                                held-out training images    test images
    BURN                            95.8 / 85.4 / 56.5      90.6 / 83.1 / 57.6
    feature similarity alone        93.4 / 88.2 / 58.8      87.8 / 84.2 / 58.0    (feature_similarity_digits.py)

So the joint classifier gains where a classifier is fitted to all labels, not with neighbours or few labels.
Here: 89.7 linear, 85.4 k-NN, 61.9 from 1 label a class, mean of 3 seeds (bash tools/quickstart.sh --seeds 3; untrained
37.5, 24.7, 13.4).
"""

_base_ = ['./stage1_digits.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
train_dataloader = dict(batch_size=64)
global_batch_size = 256
load_from = 'work_dirs/quickstart/seed0/stage1/weights.pth'
how_to_get = dict(
    load_from='make it with: bash tools/quickstart.sh --until stage1 '
    '(or train without it: configs/selfsup/burn/single_stage_digits.py)'
)
