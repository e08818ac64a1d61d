"""Linear SVMs on the digits, the protocol of VOC 2007 with top-1: from all training images, and from 1 to 8 a class.

    bash benchmarks/dist_test_svm_pretrain.sh configs/benchmarks/svm/digits.py WEIGHTS "feat5 neck"

Half a minute on a core. Works with any weights file.
"""

_base_ = ['../../_base_/datasets/digits_features.py', '../../_base_/runtime.py']
val_dataloader = None
test_cfg = dict()
test_evaluator = [dict(type='LinearSVM', shots=[1, 2, 4, 8])]
