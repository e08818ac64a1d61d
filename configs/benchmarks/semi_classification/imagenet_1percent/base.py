"""Semi-supervised evaluation on 1 % of ImageNet's labels, OpenSelfSup's: all learns, SyncBN, 4 GPUs x 64, 20 epochs.

Its grid, the trunk's rate (0.001, 0.01, 0.1) by the head's factor (1, 10, 100), is run whole by --grid of
benchmarks/dist_train_semi.sh; this file is lr0_01_head1, and --cfg-options optim_wrapper.optimizer.lr=0.1
optim_wrapper.paramwise_cfg.lr_mult.head=10 is any other point. Published (its model zoo, ResNet-50): 33.15 top-1 after
MoCo v1 (lr0_01_head100), 1.56 from scratch (lr0_01_head1); here: not yet measured. tools/prepare_data/subsets.py writes
the list; published numbers are of SimCLR's (--official). The weights file says which trunk; its neck, BURN's fc, learns
too.
"""

_base_ = ['../../../_base_/datasets/imagenet_linear.py', '../../../_base_/runtime_imagenet.py']
model = dict(type='Classifier', head=dict(type='LinearHead', num_classes=1000))
train_dataloader = dict(
    batch_size=64,
    dataset=dict(_delete_=True, type='ImageNetSubset', percent=1, views={{_base_.train_dataloader.dataset.views}}),
)
global_batch_size = 256
sync_bn = True
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(lr_mult=dict(head=1)),
)
schedules = dict(lr=dict(target='lr', curve='step', milestones=[12, 16], gamma=0.2))
train_cfg = dict(type='EpochLoop', max_epochs=20)
