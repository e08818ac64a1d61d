"""ImageNet with labels, as ReActNet and Bi-Real Net from scratch have it: crops of 0.08 to 1, lighting noise, flips.

64 images per GPU: 512 on 8. The noise is as released: meant for pixels of 0 to 1, it meets pixels of 0 to 255, so
that a channel stays or loses one grey level. Validation as in linear evaluation.
"""

_base_ = ['./imagenet_linear.py']
train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    dataset=dict(
        views=[
            [
                dict(type='torchvision/RandomResizedCrop', size=224, scale=(0.08, 1.0)),
                dict(type='Lighting', alphastd=0.1, as_released=True),
                dict(type='torchvision/RandomHorizontalFlip'),
            ]
        ]
    ),
)
