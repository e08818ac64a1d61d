"""The base of every algorithm: a backbone, a neck, a head, and what they answer."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mmengine.model import BaseModel
from torch import Tensor, nn

from binssl.registry import ALGORITHMS, BACKBONES, HEADS, NECKS, ConfigError

Images = Tensor | Sequence[Tensor]


@ALGORITHMS.register_module()
class Encoder(BaseModel):
    """A trunk, with a head if there is one: the base of every algorithm, and what a trained one is used as.

    Subclasses say how many views their loss needs (``views``), whether it needs labels (``needs_labels``), what
    they ask of the head besides its forward (``head_offers``), and define :meth:`loss`.

    Args:
        backbone: config; gives a tuple of maps (N, C, H, W).
        neck: config; maps -> (N, D). The mean pool by default.
        head: config of a projector or classifier, with its loss; or None. A classifier's ``in_channels`` may be left
            out: it is the trunk's width.
        data_preprocessor: config, usually an ImageNormalizer; by default a batch is only moved to the device.

    Attributes:
        frozen: names of the submodules that stay as they are, see :meth:`freeze`.

    Raises:
        ConfigError: two parts whose widths do not fit, or a head that is another algorithm's.
    """

    views = 1
    needs_labels = False
    head_offers: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    head: Any

    def __init__(
        self, backbone: dict, neck: dict | None = None, head: dict | None = None, data_preprocessor: dict | None = None
    ) -> None:
        preprocessor = data_preprocessor or {'type': 'BaseDataPreprocessor'}
        super().__init__(data_preprocessor=ALGORITHMS.build(preprocessor))
        self.backbone = BACKBONES.build(backbone)
        self.neck = NECKS.build(neck or {'type': 'PoolMLP'})
        self.head = None if head is None else HEADS.build(fitted(head, self.out_channels))
        giver = "the backbone's flattened map" if flattens(self.neck) else 'the backbone'
        check_widths('the neck', width_in(self.neck), giver, width_pooled(self.backbone, self.neck))
        check_widths('the head', width_in(self.head), 'the neck', self.out_channels)
        self.check_head(self.head_offers)

    def check_head(self, wanted: Sequence[str]) -> None:
        """Ask whether the head has all attributes ``wanted``.

        Raises:
            ConfigError: it lacks one, or there is no head.
        """
        if not all(hasattr(self.head, name) for name in wanted):
            given = 'none is given' if self.head is None else f'{type(self.head).__name__} does not'
            raise ConfigError(f'{type(self).__name__} needs a head that offers {", ".join(wanted)}; {given}')

    def check_run(self, images: int, processes: int, hooks: Collection[str]) -> None:
        """Ask whether the run around it is what the algorithm needs; before training starts, or a run is only checked.

        Args:
            images: of a training batch of one process.
            processes: of the whole run.
            hooks: the types of the run's hooks.

        Raises:
            ConfigError: it is not.
        """

    def freeze(self, names: Sequence[str]) -> None:
        """Keep the submodules ``names`` as they are: they do not learn, and are in eval mode whatever the rest is."""
        self.frozen = tuple(names)
        for name in self.frozen:
            self.get_submodule(name).requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Encoder:
        """Training mode for all but what is frozen."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    @property
    def out_channels(self) -> int | None:
        """D, the width of the features; None where the parts do not tell."""
        given = width_out(self.neck)
        return width_pooled(self.backbone, self.neck) if given is None else given

    def extract(self, images: Tensor) -> Tensor:
        """Features: (N, 3, H, W) -> (N, D), the neck's output."""
        return self.neck(self.backbone(images))

    def forward(
        self,
        images: Images,
        labels: Tensor | None = None,
        indices: Tensor | None = None,
        mode: str = 'tensor',
        **extras: Tensor,
    ) -> Any:
        """What the runner, or a person, asks of the model.

        Args:
            images: (N, 3, H, W), or a list of them, one a view.
            labels: (N,), where there are any.
            indices: (N,), the samples' places in the data set.
            mode: 'tensor' gives the head's output, before any normalisation, or the features where there is
                no head; 'loss' a dict with one ``loss`` and numbers for the log; 'predict' a list with one
                dict for the batch: ``features``, what the algorithm adds, all of the batch but the images.
            extras: whatever else the batch holds, (N,) each.

        Outside the loss the first view is looked at.

        Raises:
            ConfigError: the data are a detector's.
        """
        if mode == 'loss':
            return self.loss(images, labels)
        view = images if isinstance(images, Tensor) else images[0]
        if view.dim() == 3:
            raise ConfigError(
                f'{type(self).__name__} takes batches of images of one size, and the data set gave '
                'single ones, as a Detector takes them: is this the file of a trained detector?'
            )
        if mode == 'tensor':
            features = self.extract(view)
            return features if self.head is None else self.head(features)
        if mode == 'predict':
            batch = dict(labels=labels, indices=indices, **extras)
            given = {key: value for key, value in batch.items() if value is not None}
            return [dict(self.describe(view), **given)]
        raise ValueError(f"mode {mode!r} is unknown: take 'tensor', 'loss' or 'predict'")

    def describe(self, images: Tensor) -> dict[str, Tensor]:
        """What is known of each image (N, 3, H, W) after training: ``features`` (N, D)."""
        return {'features': self.extract(images)}

    def loss(self, images: Images, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of one batch, as ``loss``; other entries, for the log, are detached and never named so."""
        raise ConfigError(
            f'{type(self).__name__} has no loss: it holds a trained network. To train, take an '
            'algorithm (BURN, MoCo, Classifier, ...)'
        )

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, and everything for the log; mmengine would average and add up what needs neither."""
        return losses['loss'], losses

    def take_views(self, images: Images) -> list[Tensor]:
        """The views of a batch, as many as the loss needs.

        Raises:
            ConfigError: there are more or fewer.
        """
        given = [images] if isinstance(images, Tensor) else list(images)
        if len(given) != self.views:
            wanted = f'{self.views} view{"s" if self.views > 1 else ""}'
            raise ConfigError(
                f'{type(self).__name__} needs {wanted}, the data set gave {len(given)}: '
                'change the views of the data set in the config'
            )
        return given


def fitted(head: Mapping[str, Any], width: int | None) -> dict[str, Any]:
    """The config of a head, its ``in_channels`` the trunk's ``width`` where it needs the number and leaves it open.

    Raises:
        ConfigError: it leaves the number open, and the parts of the trunk do not tell it.
    """
    kind = HEADS.get(head['type']) if isinstance(head.get('type'), str) else None
    wanted = inspect.signature(kind).parameters.get('in_channels') if kind is not None else None
    if wanted is None or wanted.default is not wanted.empty or head.get('in_channels') is not None:
        return dict(head)
    if width is None:
        raise ConfigError(
            f'head.in_channels of {head["type"]} is left out, and how wide the trunk is cannot be told '
            'from its parts: give the number'
        )
    return dict(head, in_channels=width)


def width_in(part: nn.Module | None) -> int | None:
    """The width that a part says it takes."""
    return getattr(part, 'in_channels', None)


def width_out(part: nn.Module | None) -> int | None:
    """The width that a part says it gives."""
    return getattr(part, 'out_channels', None)


def width_pooled(backbone: nn.Module, neck: nn.Module) -> int | None:
    """The width of the backbone's last map behind the neck's pool; None where the parts do not tell.

    A flattened map is as wide as it is large, which a backbone says by ``map_size``, its side, where it knows it.
    """
    channels, side = width_out(backbone), getattr(backbone, 'map_size', None)
    if not flattens(neck):
        return channels
    return None if channels is None or side is None else channels * side**2


def flattens(neck: nn.Module) -> bool:
    """Whether the neck keeps the places of a map."""
    return getattr(neck, 'pool', 'mean') == 'flatten'


def check_widths(taker: str, taken: int | None, giver: str, given: int | None) -> None:
    """Compare two widths where both are known.

    Raises:
        ConfigError: they differ.
    """
    if taken is not None and given is not None and taken != given:
        raise ConfigError(f'{taker} takes {taken} channels, {giver} gives {given}; change either in the config')
