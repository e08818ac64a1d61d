"""distillation_step2.py with k-NN accuracy on ImageNet every 20 epochs: only the validation reads labels.

Here: not yet measured.
"""

_base_ = ['./distillation_step2.py', '../../_base_/datasets/imagenet_knn.py']
train_cfg = dict(val_interval=20)
