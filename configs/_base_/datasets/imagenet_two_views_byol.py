"""ImageNet, BYOL's two views (arXiv:2006.07733, appendix B): one always blurred, one seldom and sometimes solarised.

64 images per GPU: 4096 on 64, or on 8 with 8 batches a step.
"""

_base_ = ['./imagenet_train.py']

_JITTER = dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1)
_SHARED = [
    dict(type='torchvision/RandomResizedCrop', size=224, interpolation='bicubic'),
    dict(type='torchvision/RandomHorizontalFlip'),
    dict(type='torchvision/RandomApply', transforms=[_JITTER], p=0.8),
    dict(type='torchvision/RandomGrayscale', p=0.2),
]
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        views=[
            [*_SHARED, dict(type='GaussianBlur', p=1.0, sigma=(0.1, 2.0))],
            [
                *_SHARED,
                dict(type='GaussianBlur', p=0.1, sigma=(0.1, 2.0)),
                dict(type='torchvision/RandomSolarize', threshold=128, p=0.2),
            ],
        ]
    ),
)
