"""BURN's view in the fast way, a second base of a config that has the reference one (torchvision's transforms).

``_PHOTO``: all of it in the loader's workers. ``_CROP`` and ``_REST``: cut there, coloured and blurred by the batch on
the device. Both draw as the reference does.
"""

_CROP = [dict(type='PhotoCrop', size=224, interpolation='bicubic'), dict(type='PhotoFlip')]
_COLOURS = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.6)
_PHOTO = [
    *_CROP,
    dict(type='PhotoJitter', **_COLOURS),
    dict(type='PhotoGrayscale', p=0.2),
    dict(type='PhotoBlur', p=0.2, sigma=(0.1, 2.0)),
]
_REST = [
    dict(type='PhotoJitter', **_COLOURS),
    dict(type='PhotoGrayscale', p=0.2),
    dict(type='PhotoBlur', p=0.2, sigma=(0.1, 2.0)),
]
