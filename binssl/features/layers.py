"""The features of chosen layers: what goes downstream, a backbone's maps by their size, or any module's output."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from binssl.registry import ConfigError, nearest_names

NECK = 'neck'
MAPS = ('feat1', 'feat2', 'feat3', 'feat4', 'feat5')  # OpenSelfSup's names; feat5 is the last
POOLS = ('mean', 'svm')
SVM_NUMBERS = 9216  # features of a layer that OpenSelfSup gives its SVMs, at most


class LayerReader:
    """Reads the features of several layers in one forward.

    ``neck`` is what goes downstream, ``Encoder.extract``. ``feat5`` is the backbone's last map and, for each larger
    size that its maps have, ``feat4`` ... ``feat1`` the last map of that size; a map is what one part of the backbone's
    chain (stem, block) hands to the next. Any other name is a module's, ``backbone.blocks.5``; of an output of several
    streams the last is taken.

    Args:
        model: an Encoder, in eval mode.
        layers: their names.
        pool: what is made of maps, by adaptive average pooling: 'mean' 1 x 1, 'svm' S x S with
            S = floor(sqrt(9216 / C)), OpenSelfSup's about 9,000 numbers, and never more places than the map has.

    Raises:
        ConfigError: a layer or a pool that does not exist, or no layer, or one twice.
    """

    def __init__(self, model: Any, layers: Sequence[str], pool: str = 'mean') -> None:
        if pool not in POOLS:
            raise ConfigError(f'there is no pool {pool!r}; {nearest_names(pool, POOLS)}')
        if not layers or len(set(layers)) < len(layers):
            raise ConfigError(f'the layers are {list(layers)}; name at least one, and each once')
        self.modules = {name: module for name, module in model.named_modules() if name}
        known = (NECK, *MAPS, *self.modules)
        for layer in layers:
            if layer not in known:
                raise ConfigError(
                    f'the network has no layer {layer!r}; {nearest_names(layer, known)} (feat1 to feat5 '
                    "are the backbone's maps by size, neck is what goes downstream)"
                )
        self.model, self.layers, self.pool = model, tuple(layers), pool

    def read(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised images (N, 3, H, W) -> the features (N, D) of each layer.

        Raises:
            ConfigError: the backbone has fewer sizes of maps than that, or a module has no part in the features.
        """
        taken: dict[str, Tensor] = {}
        sizes: dict[tuple[int, ...], Tensor] = {}  # of maps: the last one of each, pooled
        with self._listening(taken, sizes):
            neck = self.model.extract(images)
        by_size = [sizes[size] for size in sorted(sizes, key=math.prod)]
        named = zip(reversed(MAPS), by_size, strict=False)  # small networks have fewer sizes than names
        found = {NECK: neck, **taken, **dict(named)}
        for layer in self.layers:
            if layer in MAPS and layer not in found:
                raise ConfigError(
                    f"{layer} is not there: the backbone's maps of images of {images.shape[-2]} x "
                    f'{images.shape[-1]} px have {len(by_size)} size(s), {MAPS[-len(by_size)]} is the '
                    'largest'
                )
            if layer not in found:
                raise ConfigError(f'{layer} does nothing on the way to the features; take a layer of backbone or neck')
        return {layer: found[layer].float() for layer in self.layers}

    @contextmanager
    def _listening(self, taken: dict[str, Tensor], sizes: dict[tuple[int, ...], Tensor]) -> Iterator[None]:
        def keep_named(name: str) -> Any:
            def hook(_: nn.Module, __: Any, output: Any) -> None:
                taken[name] = self._pooled(_stream(output, name), name)

            return hook

        def keep_size(_: nn.Module, __: Any, output: Any) -> None:
            streams = _stream(output, 'the backbone')
            if streams.ndim == 4:  # pooled now: what comes next may change it in place
                sizes[tuple(streams.shape[2:])] = self._pooled(streams, 'the backbone')

        named = [layer for layer in self.layers if layer in self.modules and layer != NECK]
        handles = [self.modules[name].register_forward_hook(keep_named(name)) for name in named]
        if set(self.layers) & set(MAPS):
            handles += [part.register_forward_hook(keep_size) for part in chain(self.model.backbone)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _pooled(self, output: Tensor, name: str) -> Tensor:
        if output.ndim == 2:
            return output.clone()  # what comes next may change it in place
        if output.ndim != 4:
            raise ConfigError(f'{name} gives {output.ndim} axes {tuple(output.shape)}; features have 2, maps 4')
        return F.adaptive_avg_pool2d(output, pooled_size(output.shape, self.pool)).flatten(1)


def pooled_size(shape: Sequence[int], pool: str) -> tuple[int, int]:
    """Height and width that maps (N, C, H, W) are pooled to; see :class:`LayerReader`."""
    side = max(1, math.isqrt(SVM_NUMBERS // shape[1])) if pool == 'svm' else 1
    return min(side, shape[2]), min(side, shape[3])


def chain(module: nn.Module) -> list[nn.Module]:
    """The parts that run one after the other: a backbone's, and in it those of lists, of Sequentials and of a stem."""
    parts = []
    for name, part in module.named_children():
        in_row = isinstance(part, nn.ModuleList) or type(part).forward is nn.Sequential.forward or name == 'stem'
        parts += chain(part) if in_row and next(part.children(), None) is not None else [part]
    return parts or [module]


def _stream(output: Any, name: str) -> Tensor:
    while isinstance(output, (tuple, list)) and output:
        output = output[-1]
    if not isinstance(output, Tensor):
        raise ConfigError(f'{name} gives no tensor but {type(output).__name__}; take another layer')
    return output
