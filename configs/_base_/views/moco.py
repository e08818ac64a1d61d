"""MoCo v2's view in the fast way, a second base of a config that has the reference one: see burn.py beside it."""

_CROP = [dict(type='PhotoCrop', size=224, scale=(0.2, 1.0))]
_COLOURS = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8)
_PHOTO = [
    *_CROP,
    dict(type='PhotoJitter', **_COLOURS),
    dict(type='PhotoGrayscale', p=0.2),
    dict(type='PhotoBlur', p=0.5, sigma=(0.1, 2.0)),
    dict(type='PhotoFlip'),
]
_REST = [
    dict(type='PhotoJitter', **_COLOURS),
    dict(type='PhotoGrayscale', p=0.2),
    dict(type='PhotoBlur', p=0.5, sigma=(0.1, 2.0)),
    dict(type='PhotoFlip'),
]
