"""Linear evaluation on the digits: SGD on a classifier alone. The weights file says which trunk; it stays frozen.

What is minimised is scikit-learn's logistic regression on standardised features: C = 1 is a weight decay of 1 / 1437.
"""

_base_ = ['../../_base_/datasets/digits_labeled.py', '../../_base_/runtime.py']
model = dict(type='Classifier', head=dict(type='LinearHead', num_classes=10, norm='BN'), frozen=['backbone', 'neck'])
train_dataloader = dict(dataset=dict(views=None))
sync_bn = True
global_batch_size = 128
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=1.0, momentum=0.9, weight_decay=1 / 1437),
    paramwise_cfg=dict(decay='weights'),
)
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0, by='iter'))
train_cfg = dict(type='EpochLoop', max_epochs=50, val_interval=50)
val_cfg = dict()
val_evaluator = [dict(type='Accuracy')]
test_cfg = val_cfg
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=25))
