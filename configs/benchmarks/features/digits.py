"""What frozen features of the digits are worth: k-NN, linear from all labels and from one label a class.

Plain training images (1,437) are learnt from, plain test images (360) are scored. Works with any weights file.
"""

_base_ = ['../../_base_/datasets/digits_features.py', '../../_base_/runtime.py']
val_dataloader = None
test_cfg = dict()
test_evaluator = [dict(type='LinearAccuracy'), dict(type='KNNAccuracy'), dict(type='FewShotAccuracy')]
