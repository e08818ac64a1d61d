"""ImageNet with labels, as linear evaluation has it: crops and flips to train, centre crops to validate.

32 images per GPU: 256 on 8. Scored by top-1 and top-5 accuracy; the best top-1 of the validation is kept.
"""

_base_ = ['./imagenet_train.py']
train_dataloader = dict(
    batch_size=32,
    num_workers=5,
    dataset=dict(
        labeled=True,
        views=[[dict(type='torchvision/RandomResizedCrop', size=224), dict(type='torchvision/RandomHorizontalFlip')]],
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=5,
    persistent_workers=True,
    pin_memory=True,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='ImageNet',
        split='val',
        labeled=True,
        views=[[dict(type='torchvision/Resize', size=256), dict(type='torchvision/CenterCrop', size=224)]],
    ),
)
test_dataloader = val_dataloader
val_cfg = dict()
val_evaluator = [dict(type='Accuracy', topk=(1, 5))]
test_cfg = val_cfg
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='top1'))
