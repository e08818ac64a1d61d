"""Views of an image: transforms from a config, and the counters that their numbers are drawn from."""

from binssl.views.array_colors import PhotoBlur, PhotoGrayscale, PhotoJitter, PhotoLighting, PhotoSolarize
from binssl.views.array_transforms import PhotoCenterCrop, PhotoCrop, PhotoFlip, PhotoResize
from binssl.views.batch_part import BatchPart
from binssl.views.batch_photo import BatchBlur, BatchGrayscale, BatchJitter, BatchLighting, BatchSolarize
from binssl.views.batch_transforms import BatchCrop, BatchFlip, BatchResize, BatchRotate
from binssl.views.digits import DigitsAugment
from binssl.views.reference import GaussianBlur, Lighting

__all__ = [
    'BatchBlur',
    'BatchCrop',
    'BatchFlip',
    'BatchGrayscale',
    'BatchJitter',
    'BatchLighting',
    'BatchPart',
    'BatchResize',
    'BatchRotate',
    'BatchSolarize',
    'DigitsAugment',
    'GaussianBlur',
    'Lighting',
    'PhotoBlur',
    'PhotoCenterCrop',
    'PhotoCrop',
    'PhotoFlip',
    'PhotoGrayscale',
    'PhotoJitter',
    'PhotoLighting',
    'PhotoResize',
    'PhotoSolarize',
]
