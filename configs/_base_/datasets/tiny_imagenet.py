"""TinyImageNet in memory, as ReCU's code has it: 64 px made 224, turned by up to 20 degrees, flipped.

256 images on 1 GPU. Its config's model takes ``_NORMALIZER`` and 200 classes. The published code wants the validation
images sorted into class folders first; here val_annotations.txt is read.
"""

_base_ = ['./cifar10.py']

_NORMALIZER = dict(  # (.4802, .4481, .3975) and (.2302, .2265, .2262) of 255
    type='ImageNormalizer', mean=[122.451, 114.2655, 101.3625], std=[58.701, 57.7575, 57.681]
)
_LARGE = dict(type='BatchResize', size=224)

train_dataloader = dict(
    dataset=dict(type='TinyImageNet', views=[[_LARGE, dict(type='BatchRotate', degrees=20.0), dict(type='PhotoFlip')]])
)
val_dataloader = dict(batch_size=256, dataset=dict(type='TinyImageNet', split='val', views=[[_LARGE]]))
test_dataloader = val_dataloader
