"""ImageNet with labels, as Bi-Real Net step by step has it: crops of 224 px from 256, no rescaling, flips.

32 images per GPU. The release subtracts a mean of 104, 117, 123 (blue, green, red) and does not divide; here ImageNet's
mean and deviation, as everywhere else.
"""

_base_ = ['./imagenet_linear.py']
train_dataloader = dict(
    num_workers=8,
    dataset=dict(
        views=[
            [
                dict(type='torchvision/Resize', size=256),
                dict(type='torchvision/RandomCrop', size=224),
                dict(type='torchvision/RandomHorizontalFlip'),
            ]
        ]
    ),
)
