"""CIFAR-10 in memory: crops of 32 px out of 4 px of zeros around, flips; plain test images. 256 images on 1 GPU.

Data and how to get them: data/cifar10, or tools/train.py --download. The test images are looked at after each epoch and
the best epoch is kept, as the published numbers have it; to choose settings, take split='fit' and 'held_out'. The
last, smaller batch of an epoch is left out (published: taken).
"""

train_dataloader = dict(
    batch_size=256,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='CIFAR10', split='train', views=[[dict(type='BatchCrop', size=32, padding=4), dict(type='PhotoFlip')]]
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(type='CIFAR10', split='test'),
)
test_dataloader = val_dataloader
val_cfg = dict()
val_evaluator = [dict(type='Accuracy', topk=(1, 5))]
test_cfg = val_cfg
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='top1'))
