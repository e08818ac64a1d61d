"""ImageNet, MoCo v2's two views (arXiv:2003.04297). 32 images per GPU: 256 on 8.

The model normalises, by mean (123.675, 116.28, 103.53) and std (58.395, 57.12, 57.375).
"""

train_dataloader = dict(
    batch_size=32,
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
                dict(type='torchvision/RandomResizedCrop', size=224, scale=(0.2, 1.0)),
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
                    p=0.8,
                ),
                dict(type='torchvision/RandomGrayscale', p=0.2),
                dict(type='GaussianBlur', p=0.5, sigma=(0.1, 2.0)),
                dict(type='torchvision/RandomHorizontalFlip'),
            ]
        ]
        * 2,
    ),
)
