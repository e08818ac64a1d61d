"""Semi-supervised evaluation on 10 % of the digits' labels, 115 images: the whole network learns.

Rates are chosen on the last 20 % of the training images (--grid of benchmarks/dist_train_semi.sh); tools/test.py scores
the test images. Works with any weights file of the digits.
"""

_base_ = ['../../_base_/datasets/digits_labeled_mild.py', '../../_base_/runtime.py']
model = dict(type='Classifier', head=dict(type='LinearHead', num_classes=10))
train_dataloader = dict(
    batch_size=22,
    dataset=dict(
        _delete_=True,
        type='FewLabels',
        percent=10,
        dataset=dict(type='Digits', split='fit', views={{_base_.train_dataloader.dataset.views}}),
    ),
)
val_dataloader = dict(dataset=dict(split='held_out'))
val_cfg = dict()
val_evaluator = [dict(type='Accuracy')]
test_cfg = val_cfg
test_evaluator = val_evaluator
sync_bn = True
global_batch_size = 22
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(lr_mult=dict(head=10)),
)
schedules = dict(lr=dict(target='lr', curve='step', milestones=[24, 32], gamma=0.2))
train_cfg = dict(type='EpochLoop', max_epochs=40, val_interval=10)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=10, save_best='top1'))
