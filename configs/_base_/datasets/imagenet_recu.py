"""ImageNet with labels, as ReCU's code has it: crops of up to 1.25 times the image's area.

A crop of more than the image does not fit and is drawn anew, up to ten times; then the centre is taken.
"""

_base_ = ['./imagenet_supervised.py']
train_dataloader = dict(
    dataset=dict(
        views=[
            [
                dict(type='torchvision/RandomResizedCrop', size=224, scale=(0.08, 1.25)),
                dict(type='Lighting', alphastd=0.1, as_released=True),
                dict(type='torchvision/RandomHorizontalFlip'),
            ]
        ]
    )
)
