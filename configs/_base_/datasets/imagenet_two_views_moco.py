"""ImageNet, MoCo v2's two views (arXiv:2003.04297). 32 images per GPU: 256 on 8."""

_base_ = ['./imagenet_train.py']

_JITTER = dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
_VIEW = [
    dict(type='torchvision/RandomResizedCrop', size=224, scale=(0.2, 1.0)),
    dict(type='torchvision/RandomApply', transforms=[_JITTER], p=0.8),
    dict(type='torchvision/RandomGrayscale', p=0.2),
    dict(type='GaussianBlur', p=0.5, sigma=(0.1, 2.0)),
    dict(type='torchvision/RandomHorizontalFlip'),
]
train_dataloader = dict(batch_size=32, dataset=dict(views=[_VIEW] * 2))
