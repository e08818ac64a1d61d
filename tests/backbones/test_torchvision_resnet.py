"""TorchvisionResNet against torchvision's own networks, and its small plans."""

import pytest
import torch
import torchvision
from torch import nn

from binssl.backbones import Pixels, TorchvisionResNet
from binssl.registry import BACKBONES, ConfigError


@pytest.mark.parametrize(('depth', 'width'), [(18, 512), (34, 512), (50, 2048)])
def test_equals_torchvision_on_its_own_weights(depth, width):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, f'resnet{depth}')().eval()
    ours = TorchvisionResNet(depth).eval()
    weights = {key: value for key, value in theirs.state_dict().items() if not key.startswith('fc.')}
    ours.load_state_dict(weights, strict=True)
    assert list(ours.state_dict()) == list(weights)
    theirs.fc = nn.Identity()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        (last,) = ours(images)
        assert torch.equal(last.mean((2, 3)), theirs(images))
    assert ours.out_channels == width == last.shape[1]


def test_small_plan_for_digits():
    plan = {'depth': 18, 'stem': 'small', 'widths': (16, 32, 64), 'depths': (1, 1, 1)}
    network = BACKBONES.build({'type': 'TorchvisionResNet', **plan, 'out_indices': (0, -1)})
    maps = network(torch.randn(4, 3, 8, 8))
    assert [tuple(m.shape) for m in maps] == [(4, 16, 8, 8), (4, 64, 2, 2)]
    maps[-1].square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'depth': 20}, 'depth 20 is none of'),
        ({'stem': 'tiny'}, "stem 'tiny' must be"),
        ({'widths': (64, 128)}, 'must have one number >= 1 for each stage'),
        ({'depths': (1, 1, 1, 0)}, 'must have one number >= 1 for each stage'),
        ({'out_indices': (4,)}, 'must name some of the 4 stages'),
        ({'width': 64}, "did you mean 'widths'"),
    ],
)
def test_bad_plan_is_told_at_construction(changes, message):
    with pytest.raises(ConfigError, match=message):
        BACKBONES.build({'type': 'TorchvisionResNet', **changes})


def test_pixels_are_the_image_and_nothing_to_learn():
    images = torch.randn(2, 3, 8, 8)
    network = BACKBONES.build({'type': 'Pixels'})
    assert isinstance(network, Pixels)
    assert network(images)[0] is images
    assert not list(network.parameters())
    assert network.out_channels == 3
