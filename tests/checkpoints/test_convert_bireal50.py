"""Bi-Real-50 through the converter against a plain function of the published weights: no one has its numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import binssl
from binssl.checkpoints import CONVERSIONS, convert_checkpoint
from binssl.checkpoints.convert import rename_all

sys.path.insert(0, str(Path(__file__).parents[1] / 'reference'))
from fill import reference_cotangent, reference_images, reference_state_dict

DEPTHS = (3, 4, 6, 3)


class Published:
    """Bi-Real-50, one block after the other, under the names of its checkpoint."""

    def __init__(self, weights: dict[str, Tensor], training: bool) -> None:
        self.weights, self.training = weights, training

    def norm(self, x: Tensor, name: str) -> Tensor:
        statistics = (self.weights[f'{name}.running_mean'].clone(), self.weights[f'{name}.running_var'].clone())
        return F.batch_norm(x, *statistics, self.weights[f'{name}.weight'], self.weights[f'{name}.bias'], self.training)

    def sign(self, x: Tensor) -> Tensor:
        curve = torch.where(x < 0, 2 * x + x * x, 2 * x - x * x)
        soft = torch.where(x < -1, -torch.ones_like(x), torch.where(x < 1, curve, torch.ones_like(x)))
        return x.sign().detach() - soft.detach() + soft

    def binary(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.weights[f'{name}.weight']
        scale = weight.abs().mean((1, 2, 3), keepdim=True).detach()
        soft = weight.clamp(-1, 1)
        weight = (scale * weight.sign()).detach() - soft.detach() + soft
        return F.conv2d(self.sign(x), weight, stride=stride, padding=weight.shape[-1] // 2)

    def real(self, x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, self.weights[f'{name}.weight'])

    def block(self, a: Tensor, b: Tensor, name: str, stride: int, changes: bool, first: bool) -> tuple[Tensor, Tensor]:
        if first:
            clipped = torch.where(b.abs() > 1, 0.1 * b + 0.9 * b.sign(), b)
            p = self.norm(self.real(clipped, f'{name}.conv1'), f'{name}.bn1')
        else:
            p = self.norm(self.binary(b, f'{name}.conv1'), f'{name}.bn1')
            p = p + (self.real(a, f'{name}.down_conv1x1') if changes else a)
        q = self.norm(self.binary(p, f'{name}.conv2', stride), f'{name}.bn2')
        q = q + (F.avg_pool2d(p, 2) if stride == 2 else p)
        if changes:
            b = self.norm(self.real(F.avg_pool2d(b, stride), f'{name}.downsample.1'), f'{name}.downsample.2')
        return q, self.norm(self.binary(q, f'{name}.conv3'), f'{name}.bn3') + b

    def __call__(self, images: Tensor) -> Tensor:
        stem = F.conv2d(images, self.weights['conv1.weight'], stride=2, padding=3)
        a = b = F.max_pool2d(self.norm(stem, 'bn1'), 3, 2, 1)
        block = 0
        for stage, depth in enumerate(DEPTHS):
            for place in range(depth):
                stride = 2 if stage and not place else 1
                a, b = self.block(a, b, f'layers.{block}', stride, changes=not place, first=block == 0)
                block += 1
        return F.linear(b.mean((2, 3)), self.weights['fc.weight'], self.weights['fc.bias'])


@pytest.fixture(scope='module')
def weights() -> dict[str, Tensor]:
    return {
        key: torch.from_numpy(value) if value.shape else torch.tensor(value.item())
        for key, value in reference_state_dict('bireal50').items()
    }


@pytest.fixture(scope='module')
def converted(weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp('bireal50')
    torch.save({'state_dict': {f'module.{key}': value for key, value in weights.items()}}, folder / 'a.pth')
    report = convert_checkpoint(folder / 'a.pth', folder / 'ours.pth', 'bireal50')
    assert 'dropped: 1 tensors of branches that the published network never uses' in report
    assert '\n    layers.0: down_conv1x1\n' in report
    return binssl.load_model(folder / 'ours.pth').double()


def in_double(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.double() if value.is_floating_point() else value for key, value in weights.items()}


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def images(count: int) -> Tensor:
    return torch.from_numpy(reference_images((count, 3, 64, 64), 0)).double()


def test_eval_outputs(weights, converted):
    with torch.no_grad():
        wanted = Published(in_double(weights), training=False)(images(2))
        assert relative_error(converted.eval()(images(2)), wanted) < 1e-8


def test_train_outputs_and_gradients(weights, converted):
    leaves = in_double(weights)
    statistics = ('running_mean', 'running_var', 'num_batches_tracked')
    learned = {key: value.requires_grad_() for key, value in leaves.items() if not key.endswith(statistics)}
    wanted = Published(leaves, training=True)(images(4))
    ours = converted.train()(images(4))
    assert relative_error(ours.detach(), wanted.detach()) < 1e-8
    cotangent = torch.from_numpy(reference_cotangent(tuple(ours.shape)))
    for outputs in (ours, wanted):
        (outputs * cotangent).sum().backward()
    names = rename_all(CONVERSIONS['bireal50'], weights)
    gradients = {name: parameter.grad for name, parameter in converted.named_parameters()}
    dead = [key for key, value in learned.items() if value.grad is None]
    assert dead == ['layers.0.down_conv1x1.weight'] == [key for key in learned if names[key] is None]
    assert set(gradients) == {names[key] for key in learned if key not in dead}
    for key, value in learned.items():
        if key not in dead:
            assert relative_error(gradients[names[key]], value.grad) < 1e-6, key
