"""TorchvisionModel against torchvision's own classifiers; the published shapes of SwAV's wide ResNet-50."""

import copy

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from binssl.algorithms import Encoder
from binssl.backbones import TorchvisionModel, TorchvisionResNet
from binssl.registry import BACKBONES, ConfigError

# smallest of each kind, and what its classifier does with the last map
NETWORKS = {
    'alexnet': lambda network, x: network.classifier(network.avgpool(x).flatten(1)),
    'convnext_tiny': lambda network, x: network.classifier(network.avgpool(x)),
    'densenet121': lambda network, x: network.classifier(x.mean((2, 3))),
    'efficientnet_b0': lambda network, x: network.classifier(x.mean((2, 3))),
    'mnasnet0_5': lambda network, x: network.classifier(x.mean((2, 3))),
    'mobilenet_v2': lambda network, x: network.classifier(x.mean((2, 3))),
    'mobilenet_v3_small': lambda network, x: network.classifier(x.mean((2, 3))),
    'regnet_y_400mf': lambda network, x: network.fc(x.mean((2, 3))),
    'resnet18': lambda network, x: network.fc(x.mean((2, 3))),
    'shufflenet_v2_x0_5': lambda network, x: network.fc(x.mean((2, 3))),
    'squeezenet1_1': lambda network, x: network.classifier(x).flatten(1),
    'vgg11': lambda network, x: network.classifier(F.adaptive_avg_pool2d(x, 7).flatten(1)),
}


@pytest.mark.parametrize('name', NETWORKS)
def test_the_map_behind_which_torchvisions_classifier_gives_its_own_output(name):
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(name).eval()
    ours = TorchvisionModel(name).eval()
    state = theirs.state_dict()
    ours.load_state_dict({key: state[key] for key in ours.state_dict()}, strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        (last,) = ours(images)
        assert last.shape[:2] == (2, ours.out_channels)
        torch.testing.assert_close(NETWORKS[name](theirs, last), theirs(images))


def test_nothing_unused_is_built_in():
    network = BACKBONES.build({'type': 'TorchvisionModel', 'name': 'mobilenet_v2'})
    encoder = Encoder({'type': 'TorchvisionModel', 'name': 'mobilenet_v2'}, {'type': 'PoolMLP', 'in_channels': 1280})
    encoder.extract(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert sum(p.numel() for p in network.parameters()) == 2_223_872  # 3,504,872 less 1,281,000 of the classifier
    assert set(copy.deepcopy(network).state_dict()) == set(network.state_dict())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'name': 'mobilenetv2'}, "no classifier 'mobilenetv2'; did you mean 'mobilenet_v2'"),
        ({'name': 'vit_b_16'}, 'vit_b_16 is no chain of maps.*MobileNetV2'),
        ({'name': 'swin_t'}, 'swin_t is no chain of maps'),
        ({'name': 'squeezenet1_1', 'weights': 'IMAGENET'}, "has no weights 'IMAGENET'.*'DEFAULT'"),
        ({'name': 'squeezenet1_1', 'input_size': 8}, 'images of 8 x 8 px are too small for squeezenet1_1.*17 x 17'),
    ],
)
def test_bad_settings_are_told_at_construction(options, message):
    with pytest.raises(ConfigError, match=message):
        BACKBONES.build({'type': 'TorchvisionModel', **options})


def test_the_named_smallest_image_fits():
    (features,) = TorchvisionModel('squeezenet1_1', input_size=17)(torch.randn(1, 3, 17, 17))
    assert features.shape[0] == 1
    assert features.isfinite().all()


def test_widths_times_four_are_the_wide_resnet_50_of_swav():
    with torch.device('meta'):
        ours = TorchvisionResNet(50, widths=[256, 512, 1024, 2048])
        narrow = torchvision.models.resnet50()
        narrow.fc = nn.Identity()

    def wide(shape):  # every width but that of the image
        return tuple(size * 4 if place < 2 and size != 3 else size for place, size in enumerate(shape))

    # kernels are 1, 3 or 7 wide and come at places 2 and 3
    wanted = {key: wide(value.shape) for key, value in narrow.state_dict().items()}
    assert {key: tuple(value.shape) for key, value in ours.state_dict().items()} == wanted
    assert wanted['conv1.weight'] == (256, 3, 7, 7)
    assert wanted['layer4.2.conv3.weight'] == (8192, 2048, 1, 1)
    assert ours.out_channels == 8192
    # SwAV's readme: 375M parameters
    assert sum(p.numel() for p in ours.parameters()) // 10**6 == 375
    assert ours(torch.empty(2, 3, 64, 64, device='meta'))[-1].shape == (2, 8192, 2, 2)
