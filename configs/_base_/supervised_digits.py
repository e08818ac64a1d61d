"""Digits with labels: a Classifier on augmented training images, its own scores tested on plain test images."""

_base_ = ['./datasets/digits_labeled_mild.py', './runtime.py']
default_hooks = dict(
    progress=dict(type='ProgressHook', interval=20),
    checkpoint=dict(type='CheckpointHook', interval=10, max_keep_ckpts=2),
)
val_dataloader = None
test_cfg = dict()
test_evaluator = [dict(type='Accuracy', topk=(1, 5))]
