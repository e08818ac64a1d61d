"""Views of an image: transforms from a config, and the counters that their numbers are drawn from."""

from binssl.views.build import BatchPart
from binssl.views.colors import PhotoBlur, PhotoGrayscale, PhotoJitter, PhotoLighting, PhotoSolarize
from binssl.views.digits import DigitsAugment
from binssl.views.geometry import (
    BatchCrop,
    BatchResize,
    BatchRotate,
    PhotoCenterCrop,
    PhotoCrop,
    PhotoFlip,
    PhotoResize,
)
from binssl.views.reference import GaussianBlur, Lighting
