"""ImageNet, S2-BNN's view (arXiv:2102.08946), once: all that distillation reads. 32 images per GPU: 256 on 8.

MoCo v2's view with less colour jitter (0.6 of the images, not 0.8) and less blur (0.2, not 0.5). The published code
makes a second view also where nothing reads it.
"""

_base_ = ['./imagenet_train.py']

_JITTER = dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
_VIEW = [
    dict(type='torchvision/RandomResizedCrop', size=224, scale=(0.2, 1.0)),
    dict(type='torchvision/RandomApply', transforms=[_JITTER], p=0.6),
    dict(type='torchvision/RandomGrayscale', p=0.2),
    dict(type='GaussianBlur', p=0.2, sigma=(0.1, 2.0)),
    dict(type='torchvision/RandomHorizontalFlip'),
]
train_dataloader = dict(batch_size=32, dataset=dict(views=[_VIEW]))
