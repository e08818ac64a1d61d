"""distillation_step2_digits.py with k-NN accuracy every 5 epochs: only the validation reads labels.

Here: not yet measured.
"""

_base_ = ['./distillation_step2_digits.py', '../../_base_/datasets/digits_knn.py']
train_cfg = dict(val_interval=5)
