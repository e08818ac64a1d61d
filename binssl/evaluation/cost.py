"""Costs of a network: operations by kind, parameters and bytes, layer by layer; nothing is computed."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from binssl.core.tables import markdown
from binssl.registry import ConfigError

CONVENTION = """\
Counted for one image, as the papers do. FLOPs: multiply-adds of convolutions and linear layers, and of nothing else;
biases, BatchNorms, activations, pools, shifts and shortcuts without a convolution are free. BOPs: those of them whose
input and weights are both binary; where only one of the two is, they are FLOPs. OPs = FLOPs + BOPs / 64.
A binary convolution's scale (mean|w| of each filter, ChannelScale) folds into a BatchNorm right behind it: no
operation. It does not through a max pool (VGG-small), where a negative scale would make of the maximum a minimum: there
it is one multiplication for each output, which is free in this count as a BatchNorm's are.
Where its weights are centre +- step (AdaBin), the sum of the bits below a filter is one filter more, and each output
takes a multiply-add of it and the centre; the inputs' centre adds a constant, as a bias does.
Bytes are of parameters. Packed: 1 bit for a weight that is binary, 32 for each filter's mean|w|, step or centre and for
every other parameter; running statistics fold into the scale and offset of their BatchNorm."""

#: (binary input, binary weights) -> what the table calls such a layer
PRECISIONS = {
    (True, True): 'binary',
    (True, False): 'binary input',
    (False, True): 'binary weights',
    (False, False): 'real',
}
COLUMNS = ('layer', 'kind', 'FLOPs', 'BOPs', 'OPs', 'parameters', 'bytes, 32 bit', 'bytes, packed')


@dataclass(frozen=True)
class LayerCost:
    """What one layer, or several together, cost for one image.

    Args:
        name: dotted, as in the state dict.
        kind: one of :data:`PRECISIONS` for convolutions and linear layers, else the name of the class.
        flops: multiply-adds of which a factor is real.
        bops: multiply-adds of two binary factors.
        parameters: their number.
        bytes_packed: of the parameters, where a binary weight takes one bit.
    """

    name: str
    kind: str
    flops: int
    bops: int
    parameters: int
    bytes_packed: int

    @property
    def ops(self) -> float:
        """FLOPs + BOPs / 64: a processor's instruction does 64 binary operations."""
        return self.flops + self.bops / 64

    @property
    def bytes_32_bit(self) -> int:
        """Of the parameters, all in single precision."""
        return 4 * self.parameters

    def as_data(self) -> dict[str, Any]:
        """All numbers under their names."""
        return dict(
            name=self.name,
            kind=self.kind,
            flops=self.flops,
            bops=self.bops,
            ops=self.ops,
            parameters=self.parameters,
            bytes_32_bit=self.bytes_32_bit,
            bytes_packed=self.bytes_packed,
        )


@dataclass(frozen=True)
class CostReport:
    """The cost of a network for one image.

    Args:
        input_size: side of the image in pixels.
        layers: whatever owns parameters, in the order of the network's modules.
    """

    input_size: int
    layers: tuple[LayerCost, ...]

    @property
    def total(self) -> LayerCost:
        """The sum over all layers."""
        return _add_up('total', '', self.layers)

    def as_data(self) -> dict[str, Any]:
        """Plain data, for a JSON file."""
        return dict(
            input_size=self.input_size,
            layers=[layer.as_data() for layer in self.layers],
            total=self.total.as_data(),
            convention=CONVENTION,
        )

    def __str__(self) -> str:
        """A table (convolutions and linear layers one by one, others by their kind), the totals, the convention."""
        total = self.total
        lines = [_line(layer) for layer in (*_by_kind(self.layers), total)]
        numbers = ', '.join(f'{_short(getattr(total, name.lower()))} {name}' for name in ('FLOPs', 'BOPs', 'OPs'))
        size = f'{self.input_size} x {self.input_size} px'
        return f'{markdown([COLUMNS, *lines])}\n\nin total, {size}: {numbers}\n\n{CONVENTION}'


def measure_cost(model: nn.Module, input_size: int) -> CostReport:
    """Count what one image of ``input_size`` px a side costs in ``model``, in eval mode; see :data:`CONVENTION`.

    The shapes go through a copy without storage: no arithmetic is done, and ``model`` stays as it is.

    Args:
        model: takes images (1, 3, H, W).
        input_size: H and W.

    Raises:
        ConfigError: the network cannot take such images.
    """
    if input_size < 1:
        raise ConfigError(f'an image of {input_size} px has no pixel; give a size of at least 1')
    outline = copy.deepcopy(model).to('meta').eval()
    multiply_adds = _count_multiply_adds(outline, input_size)
    layers = [
        _layer_cost(name, module, multiply_adds[name])
        for name, module in outline.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    return CostReport(input_size, tuple(layers))


def _count_multiply_adds(outline: nn.Module, input_size: int) -> Counter[str]:
    """By layer, for one image; a layer that is used twice counts twice."""
    counts: Counter[str] = Counter()

    def watch(name: str, layer: nn.Conv2d | nn.Linear) -> None:
        def count(_: nn.Module, inputs: Any, output: Tensor) -> None:
            counts[name] += output.numel() * layer.weight[0].numel()

        layer.register_forward_hook(count)

    for name, module in outline.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            watch(name, module)
    try:
        with torch.no_grad():
            outline(torch.empty(1, 3, input_size, input_size, device='meta'))
    except ConfigError:
        raise
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f'the network cannot take images of {input_size} x {input_size} px ({reason}); give another size'
        ) from error
    return counts


def _layer_cost(name: str, layer: nn.Module, multiply_adds: int) -> LayerCost:
    parameters = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
    if not isinstance(layer, (nn.Conv2d, nn.Linear)):
        return LayerCost(name, type(layer).__name__, 0, 0, parameters, 4 * parameters)
    binary_input, binary_weights = (getattr(layer, bits, 32) == 1 for bits in ('input_bits', 'weight_bits'))
    kind = PRECISIONS[binary_input, binary_weights]
    flops, bops, packed = multiply_adds, 0, 4 * parameters
    if binary_weights:
        weights = layer.weight.numel()
        binarizer: Any = layer.weight_binarizer
        step, centre, _ = binarizer.levels(layer.weight)
        levels = sum(level.numel() for level in (step, centre) if level is not None)
        packed = -(-weights // 8) + 4 * (parameters - weights + levels)  # a last byte may be half full
        if binary_input:
            flops, bops = 0, multiply_adds
            if centre is not None:
                flops = multiply_adds // layer.weight[0].numel()
                bops += multiply_adds // layer.weight.shape[0]
    return LayerCost(name, kind, flops, bops, parameters, packed)


def _add_up(name: str, kind: str, layers: Sequence[LayerCost]) -> LayerCost:
    numbers = (
        sum(getattr(layer, field) for layer in layers) for field in ('flops', 'bops', 'parameters', 'bytes_packed')
    )
    return LayerCost(name, kind, *numbers)


def _by_kind(layers: Sequence[LayerCost]) -> list[LayerCost]:
    """Convolutions and linear layers as they are; then one sum for each kind of the others."""
    lines = [layer for layer in layers if layer.kind in PRECISIONS.values()]
    others = [layer for layer in layers if layer.kind not in PRECISIONS.values()]
    for kind in dict.fromkeys(layer.kind for layer in others):
        alike = [layer for layer in others if layer.kind == kind]
        lines.append(_add_up(f'({len(alike)} together)', kind, alike))
    return lines


def _line(cost: LayerCost) -> list[str]:
    numbers = (cost.flops, cost.bops, cost.ops, cost.parameters, cost.bytes_32_bit, cost.bytes_packed)
    return [cost.name, cost.kind, *(f'{number:,.0f}' for number in numbers)]


def _short(number: float) -> str:
    """Four digits as the papers write them: 8.713e7."""
    mantissa, exponent = f'{number:.3e}'.split('e')
    return f'{mantissa}e{int(exponent)}'
