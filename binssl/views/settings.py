"""What colours and blur of photos are drawn from: the settings that the ``Photo`` and ``Batch`` transforms share."""

from __future__ import annotations

from collections.abc import Sequence

from binssl.registry import ConfigError
from binssl.views.draws import check_probability, check_sigma, jitter_ranges


class JitterSettings:
    """Brightness, contrast, saturation and hue, in a random order: torchvision's ``ColorJitter``.

    Args:
        brightness, contrast, saturation: a factor is drawn from U(max(0, 1 - b), 1 + b), or from U(low, high) where two
            numbers are given. 0: none.
        hue: part of the circle, from U(-h, h), h at most 0.5, or from U(low, high). 0: none.
        p: how often a photo is changed at all (torchvision: ``RandomApply``).
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
        p: float = 1.0,
    ) -> None:
        name = type(self).__name__
        self.ranges = jitter_ranges(name, brightness, contrast, saturation, hue)
        check_probability(name, p)
        self.p = p


class GrayscaleSettings:
    """Three equal channels, the luma: torchvision's ``RandomGrayscale``.

    Args:
        p: how often.
    """

    def __init__(self, p: float = 0.2) -> None:
        check_probability(type(self).__name__, p)
        self.p = p


class BlurSettings:
    """A Gaussian blur of random width (SimCLR, arXiv:2002.05709).

    Its filter is a Gaussian, cut off at three standard deviations. Pillow's, which the published code takes, is made of
    three box filters of the same variance, another shape: in photos up to about 10 grey levels apart at an edge, and
    less than 1 on average.

    Args:
        p: how often a photo is blurred.
        sigma: standard deviation ~ U(sigma[0], sigma[1]) pixels.
    """

    def __init__(self, p: float = 0.5, sigma: Sequence[float] = (0.1, 2.0)) -> None:
        name = type(self).__name__
        check_probability(name, p)
        self.p, self.sigma = p, check_sigma(name, sigma)


class SolarizeSettings:
    """x -> 255 - x where x >= threshold: torchvision's ``RandomSolarize``, to the bit.

    Args:
        threshold: in grey levels.
        p: how often.
    """

    def __init__(self, threshold: float = 128, p: float = 0.5) -> None:
        name = type(self).__name__
        check_probability(name, p)
        if not 0 <= threshold <= 256:
            raise ConfigError(f'{name}: threshold {threshold} must lie between 0 and 256, in grey levels')
        self.threshold, self.p = threshold, p


class LightingSettings:
    """One random colour shift of all pixels, along the principal components of ImageNet's (AlexNet, 2012).

    See ``Lighting``, which does it to PIL images.

    Args:
        alphastd: standard deviation of the shift along each component.
        as_released: without the factor of 255, and cut down instead of rounded, as the code of Bi-Real Net, ReActNet
            and ReCU does it.
    """

    def __init__(self, alphastd: float = 0.1, as_released: bool = False) -> None:
        if alphastd < 0:
            raise ConfigError(f'{type(self).__name__}: alphastd {alphastd} must not be negative')
        self.alphastd, self.as_released = alphastd, as_released
