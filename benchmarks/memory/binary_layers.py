"""Memory and time of the binary layers: ours beside a plain composition of the published formulas.

Counts what autograd keeps between forward and backward (unique storages, parameters excluded) and times both
passes of ReActNet's trunk, or of ReCU's VGG-small. The plain network has the same modules but for its convolutions,
which write sign and pseudo-gradient as differentiable arithmetic: the piecewise polynomial of Bi-Real Net
(arXiv:1808.00278) and the clipped weights of ReActNet (arXiv:2003.03488), swapped in by the detach trick; or ReCU's
equations (arXiv:2103.12369), whose learned scale multiplies the output.

    python benchmarks/memory/binary_layers.py --batch 16 --size 128 --threads 1
    python benchmarks/memory/binary_layers.py --network vgg_small --size 32
"""

from __future__ import annotations

import argparse
import copy
import math
import platform
import statistics
import time

import torch
from torch import Tensor, nn

from binssl.backbones import VGG, ReActNet
from binssl.binary import BINARY, BinaryConv2d

MEGABYTE = 1e6
RECU = {
    'type': 'BinaryConv2d',
    'activation': {'type': 'UnitVarianceSign'},
    'weight': {'type': 'RectifiedSign'},
    'scale': {'type': 'ChannelScale'},
}


def straight_through(values: Tensor, surrogate: Tensor) -> Tensor:
    """``values`` forward, the gradient of ``surrogate`` backward."""
    return values.detach() - surrogate.detach() + surrogate


def polynomial(x: Tensor) -> Tensor:
    """-1 below -1, 2x + x^2 up to 0, 2x - x^2 up to 1, then 1; pieces chosen by masks of x's dtype."""
    below, negative, inside = ((x < bound).to(x.dtype) for bound in (-1, 0, 1))
    left = -1 * below + (x * x + 2 * x) * (1 - below)
    middle = left * negative + (2 * x - x * x) * (1 - negative)
    return middle * inside + 1 * (1 - inside)


class PlainConv2d(nn.Conv2d):
    """sign(x) and mean|w| sign(w) as a composition of differentiable operations."""

    def forward(self, x: Tensor) -> Tensor:
        signs = straight_through(torch.sign(x), polynomial(x))
        scale = self.weight.abs().mean(dim=(1, 2, 3), keepdim=True).detach()
        weight = straight_through(scale * torch.sign(self.weight), self.weight.clamp(-1, 1))
        return nn.functional.conv2d(signs, weight, None, self.stride, self.padding)


class PlainReCUConv2d(nn.Conv2d):
    """ReCU's convolution at tau = 0.85 as a composition: standardised, clamped, signs, convolution, times alpha."""

    scale: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = 2 * math.sqrt(2) * centred / (centred.var((1, 2, 3), keepdim=True) + 1e-5).sqrt()
        quantile = (-weight.abs().mean() * math.log(2 - 2 * 0.85)).item()
        weight = weight.clamp(-quantile, quantile)
        x = x / (x.var((1, 2, 3), keepdim=True) + 1e-5).sqrt()
        signs = straight_through(torch.sign(x), polynomial(x)), straight_through(torch.sign(weight), weight)
        return nn.functional.conv2d(*signs, None, self.stride, self.padding) * self.scale.alpha


def plain_copy(network: nn.Module, kind: type[nn.Conv2d]) -> nn.Module:
    """The same network and weights with ``kind`` for every binary convolution."""
    plain = copy.deepcopy(network)
    for module in plain.modules():
        if isinstance(module, BinaryConv2d):
            module.__class__ = kind
    return plain


def saved_bytes(network: nn.Module, images: Tensor) -> int:
    """Bytes that one forward pass keeps for its backward: unique storages without the parameters'."""
    owned = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    found: dict[int, int] = {}
    held = []  # so that no storage is freed and its address given out again

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in owned:
            found[storage.data_ptr()] = storage.nbytes()
            held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = network(images)
    del output
    return sum(found.values())


def seconds(network: nn.Module, images: Tensor) -> float:
    """Wall time of one forward and backward pass."""
    network.zero_grad()
    start = time.perf_counter()
    network(images)[-1].mean().backward()
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Measure memory once and time interleaved, print the table."""
    parser = argparse.ArgumentParser(description='Memory and time of the binary layers.')
    parser.add_argument('--network', choices=('reactnet_a', 'vgg_small'), default='reactnet_a')
    parser.add_argument('--batch', type=int, default=16, help='images a batch')
    parser.add_argument('--size', type=int, default=128, help='side of an image in pixels')
    parser.add_argument('--repeats', type=int, default=7, help='timed passes, interleaved (medians)')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    images = torch.randn(args.batch, 3, args.size, args.size, device=args.device)
    networks: dict[str, nn.Module]
    if args.network == 'vgg_small':
        ours: nn.Module = VGG(conv_cfg=RECU)
        networks = {'published formulas': plain_copy(ours, PlainReCUConv2d), 'ours': ours}
    else:
        ours = ReActNet(conv_cfg=BINARY)
        clipped = ReActNet(conv_cfg={**BINARY, 'activation': {'type': 'BoxSign'}})
        networks = {
            'published formulas': plain_copy(ours, PlainConv2d),
            'ours, triangular': ours,
            'ours, clipped': clipped,
        }
    networks = {name: network.to(args.device) for name, network in networks.items()}

    memory = {name: saved_bytes(network, images) for name, network in networks.items()}
    times: dict[str, list[float]] = {name: [] for name in networks}
    for repeat in range(args.repeats + 1):
        for name, network in networks.items():
            elapsed = seconds(network, images)
            if repeat:  # the first pass warms up
                times[name].append(elapsed)

    print(
        f'{args.network}, batch {args.batch}, {args.size} px, float32, {args.device}, {args.threads} thread(s), '
        f'torch {torch.__version__}, {platform.machine()}'
    )
    print(f'{"":20} {"saved MB":>9} {"ms (median)":>12} {"speed":>6}')
    slowest = statistics.median(times['published formulas'])
    for name in networks:
        median = statistics.median(times[name])
        print(f'{name:20} {memory[name] / MEGABYTE:9.0f} {1e3 * median:12.0f} {slowest / median:5.2f}x')


if __name__ == '__main__':
    main()
