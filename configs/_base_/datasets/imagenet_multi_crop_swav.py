"""ImageNet, SwAV's multi-crop (arXiv:2006.09882): 2 crops of 224 px and 6 of 96 px, with SimCLR's strong colours.

64 images per GPU: 4096 on 64, or on 8 with 8 batches a step. The published blur is OpenCV's, 23 px wide; ours is
Pillow's of the same sigma.
"""

_base_ = ['./imagenet_train.py']

_JITTER = dict(type='torchvision/ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
_AFTER_THE_CROP = [
    dict(type='torchvision/RandomHorizontalFlip'),
    dict(type='torchvision/RandomApply', transforms=[_JITTER], p=0.8),
    dict(type='torchvision/RandomGrayscale', p=0.2),
    dict(type='GaussianBlur', p=0.5, sigma=(0.1, 2.0)),
]
_GLOBAL = [dict(type='torchvision/RandomResizedCrop', size=224, scale=(0.14, 1.0)), *_AFTER_THE_CROP]
_LOCAL = [dict(type='torchvision/RandomResizedCrop', size=96, scale=(0.05, 0.14)), *_AFTER_THE_CROP]
train_dataloader = dict(batch_size=64, dataset=dict(views=[_GLOBAL] * 2 + [_LOCAL] * 6))
