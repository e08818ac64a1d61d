"""ImageNet, BURN's two views (arXiv:2110.08851): 256 images per GPU."""

_base_ = ['./imagenet_train.py']

_JITTER = dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
_VIEW = [
    dict(type='torchvision/RandomResizedCrop', size=224, interpolation='bicubic'),
    dict(type='torchvision/RandomHorizontalFlip'),
    dict(type='torchvision/RandomApply', transforms=[_JITTER], p=0.6),
    dict(type='torchvision/RandomGrayscale', p=0.2),
    dict(type='GaussianBlur', p=0.2, sigma=(0.1, 2.0)),
]
train_dataloader = dict(batch_size=256, dataset=dict(views=[_VIEW] * 2))
