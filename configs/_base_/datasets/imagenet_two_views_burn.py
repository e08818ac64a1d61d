"""ImageNet, BURN's two views (arXiv:2110.08851): 256 images per GPU.

The model normalises, by mean (123.675, 116.28, 103.53) and std (58.395, 57.12, 57.375).
"""

train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='ImageNet',
        split='train',
        views=[
            [
                dict(type='torchvision/RandomResizedCrop', size=224, interpolation='bicubic'),
                dict(type='torchvision/RandomHorizontalFlip'),
                dict(
                    type='torchvision/RandomApply',
                    transforms=[
                        dict(
                            type='torchvision/ColorJitter',
                            brightness=0.4,
                            contrast=0.4,
                            saturation=0.4,
                            hue=0.1,
                        )
                    ],
                    p=0.6,
                ),
                dict(type='torchvision/RandomGrayscale', p=0.2),
                dict(type='GaussianBlur', p=0.2, sigma=(0.1, 2.0)),
            ]
        ]
        * 2,
    ),
)
