"""ResNet: torchvision's function in real precision, plans, precisions, shortcuts by hand, bad input."""

import pytest
import torch
import torchvision
from torch import nn

from binssl.algorithms import Encoder
from binssl.backbones import ResNet
from binssl.binary import BINARY, BINARY_INPUT, REAL, BinaryConv2d
from binssl.registry import BACKBONES, ConfigError

SMALL = {'widths': [8, 16, 24], 'depths': [1, 2, 1], 'stem': 'small'}
PRECISIONS = {'real': REAL, 'binary input': BINARY_INPUT, 'binary': BINARY}
REAL_RESNET = {
    'depths': [2, 2, 2, 2],
    'convs_per_shortcut': 2,
    'activation': 'ReLU',
    'stem_activation': 'ReLU',
    'shortcut': 'conv',
    'conv_cfg': REAL,
}
FAMILIES = {
    'Bi-Real': {},
    'ReActNet': {'shift': True, 'activation': 'RPReLU'},
    'ReCU': {'convs_per_shortcut': 2, 'activation': 'Hardtanh', 'shortcut': 'pad'},
    'ReCU, ImageNet': {'activation': 'Hardtanh', 'stem_activation': 'Hardtanh', 'shortcut': 'conv'},
}


def small(precision='binary', **changes):
    torch.manual_seed(0)
    return BACKBONES.build({'type': 'ResNet', 'conv_cfg': PRECISIONS[precision], **SMALL, **changes})


def torchvision_key(key):
    """torchvision's name for an entry of ours: ``stages.1.0.units.0.conv`` is ``layer2.0.conv1``."""
    for ours, theirs in (
        ('stem.conv', 'conv1'),
        ('stem.norm', 'bn1'),
        ('shortcut.conv', 'downsample.0'),
        ('shortcut.norm', 'downsample.1'),
    ):
        key = key.replace(ours, theirs)
    for unit in (0, 1):
        key = key.replace(f'units.{unit}.conv', f'conv{unit + 1}').replace(f'units.{unit}.norm', f'bn{unit + 1}')
    for stage in range(4):
        key = key.replace(f'stages.{stage}.', f'layer{stage + 1}.')
    return key


def test_real_resnet_18_is_torchvisions_function():
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18().double()
    theirs.fc = nn.Identity()
    ours = ResNet(**REAL_RESNET).double()
    given = theirs.state_dict()
    ours.load_state_dict({key: given.pop(torchvision_key(key)) for key in ours.state_dict()}, strict=True)
    assert not given
    images = torch.randn(4, 3, 64, 64, dtype=torch.float64)
    for mode in (True, False):
        outputs = [theirs.train(mode)(images), ours.train(mode)(images)[-1].mean((2, 3))]
        torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-12, atol=1e-12)
    gradients = [
        torch.autograd.grad(output.square().sum(), network.parameters())
        for output, network in zip(outputs, (theirs, ours), strict=True)
    ]
    assert len(gradients[0]) == len(gradients[1])
    norms = [sorted(gradient.norm().item() for gradient in of) for of in gradients]
    torch.testing.assert_close(norms[0], norms[1], rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    ('depths', 'convs', 'binary_convs'), [((4, 4, 4, 4), 1, 16), ((6, 8, 12, 6), 1, 32), ((2, 2, 2, 2), 2, 16)]
)
def test_plans_count_their_binary_convolutions(depths, convs, binary_convs):
    network = ResNet(depths=depths, convs_per_shortcut=convs, activation='Hardtanh')
    found = [module for module in network.modules() if isinstance(module, BinaryConv2d)]
    assert len(found) == binary_convs
    assert network.out_channels == 512
    assert type(network.stem.conv) is nn.Conv2d
    assert all(type(stage[0].shortcut.conv) is nn.Conv2d for stage in network.stages[1:])


@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize('precision', PRECISIONS)
def test_every_parameter_gets_a_gradient(family, precision):
    network = small(precision, **FAMILIES[family])
    network(torch.randn(4, 3, 8, 8))[-1].square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize('family', FAMILIES)
def test_weights_go_through_all_precisions(family):
    real, binary_input, binary = (small(precision, **FAMILIES[family]) for precision in PRECISIONS)
    binary_input.load_state_dict(real.state_dict(), strict=True)
    binary.load_state_dict(binary_input.state_dict(), strict=True)
    images = torch.randn(2, 3, 8, 8)
    outputs = [network.eval()(images)[-1] for network in (real, binary_input, binary)]
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


def test_weights_of_a_network_with_relu_fit_one_with_hardtanh():
    real = small('real', activation='ReLU', stem_activation='ReLU')
    clipped = small(activation='Hardtanh', stem_activation='Hardtanh')
    assert clipped.load_state_dict(real.state_dict(), strict=True) == ([], [])


def halved(x):
    channels, side = x.shape[1], x.shape[2] // 2
    return x.view(-1, channels, side, 2, side, 2).mean((3, 5))


def test_a_halving_block_of_one_convolution_against_its_equation():
    block = small(shift=True, activation='RPReLU').double().eval().stages[1][0]
    x = torch.randn(2, 8, 6, 6).double()
    unit = block.units[0]
    shortcut = block.shortcut.norm(torch.einsum('oi,nihw->nohw', block.shortcut.conv.weight[..., 0, 0], halved(x)))
    total = unit.norm(unit.conv(x + unit.shift.bias)) + shortcut + unit.activation.shift_in.bias
    slope = unit.activation.prelu.weight.view(1, -1, 1, 1)
    wanted = torch.where(total > 0, total, slope * total) + unit.activation.shift_out.bias
    torch.testing.assert_close(block(x), wanted)


def test_a_halving_block_of_two_convolutions_with_zero_channels_against_its_equation():
    block = small(**FAMILIES['ReCU']).double().eval().stages[1][0]
    x = torch.randn(2, 8, 6, 6).double()
    first, second = block.units
    inner = first.norm(first.conv(x)).clamp(-1, 1)
    zeros = torch.zeros(2, 4, 3, 3).double()
    shortcut = torch.cat([zeros, halved(x), zeros], dim=1)
    torch.testing.assert_close(block(x), (second.norm(second.conv(inner)) + shortcut).clamp(-1, 1))


@pytest.mark.parametrize('shortcut', ['pool', 'conv', 'pad'])
@pytest.mark.parametrize('size', [5, 7, 9, 11])
def test_odd_maps_are_halved_by_convolution_and_shortcut_alike(shortcut, size):
    assert small(shortcut=shortcut)(torch.randn(2, 3, size, size))[-1].shape[-1] == -(-size // 4)


@pytest.mark.parametrize(
    ('stem', 'stages', 'smallest'),
    [
        ('small', 1, 1),
        ('small', 2, 2),
        ('small', 3, 3),
        ('small', 4, 5),
        ('imagenet', 1, 1),
        ('imagenet', 3, 9),
        ('imagenet', 4, 17),
    ],
)
def test_smallest_input_fits_and_one_pixel_less_does_not(stem, stages, smallest):
    plan = {'widths': [4] * stages, 'depths': [1] * stages, 'stem': stem}
    network = ResNet(**plan, input_size=smallest).eval()
    assert network.smallest_input == smallest
    assert network(torch.randn(1, 3, smallest, smallest))[-1].shape == (1, 4, 1, 1)
    if smallest > 1:
        with pytest.raises(ValueError, match=f'{smallest - 1} x 40 px .* smallest that fit are {smallest}'):
            network(torch.randn(1, 3, smallest - 1, 40))
        with pytest.raises(ConfigError, match=f'smallest that fit are {smallest}'):
            ResNet(**plan, input_size=smallest - 1)


def test_chosen_maps_and_the_mean_of_the_last_one():
    network = small(out_indices=(0, -1))
    images = torch.randn(2, 3, 8, 8)
    assert [tuple(m.shape) for m in network.eval()(images)] == [(2, 8, 8, 8), (2, 24, 2, 2)]
    assert small(out_indices=(1,)).out_channels == 16
    neck = {'type': 'PoolMLP', 'in_channels': 24, 'widths': [12]}
    encoder = Encoder({'type': 'ResNet', **SMALL}, neck).eval()
    assert encoder.extract(images).shape == (2, 12)


@pytest.mark.parametrize('family', FAMILIES)
def test_compiles_into_one_graph(family):
    network = small(**FAMILIES[family])
    compiled = torch.compile(network, backend='aot_eager', fullgraph=True)
    images = torch.randn(4, 3, 8, 8)
    gradients = []
    for run in (network, compiled):
        network.zero_grad()
        run(images)[-1].square().mean().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_keeps_the_maps_in_half(family, dtype):
    network = small(**FAMILIES[family])
    with torch.autocast('cpu', dtype=dtype):
        (last,) = network(torch.randn(4, 3, 8, 8))
    assert last.dtype == dtype
    last.float().square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert torch.isfinite(parameter.grad).all(), name


def test_every_batch_norm_starts_at_the_scale_that_is_asked():
    for shortcut in ('conv', 'pad'):
        network = small(shortcut=shortcut, norm_gamma=1e-8)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        assert len(norms) == 1 + 4 + (2 if shortcut == 'conv' else 0)
        assert all((norm.weight == 1e-8).all() and not norm.bias.any() for norm in norms)


@pytest.mark.parametrize('stand_in', ['ReLU', 'LeakyClip', 'Clip'])
def test_a_real_function_in_the_place_of_the_sign_may_follow_a_relu(stand_in):
    conv = {'type': 'BinaryConv2d', 'activation': {'type': stand_in}}
    network = small(activation='ReLU', stem_activation='ReLU', conv_cfg=conv)
    assert network.load_state_dict(small('real').state_dict(), strict=True) == ([], [])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'depths': [1, 1]}, 'must have one number >= 1 for each stage'),
        ({'stem': 'tiny'}, "stem 'tiny' must be"),
        ({'out_indices': (3,)}, 'must name some of the 3 stages'),
        ({'convs_per_shortcut': 3}, 'convs_per_shortcut 3 must be 1 or 2'),
        ({'activation': 'GELU'}, "activation 'GELU' is none of None, 'ReLU', 'Hardtanh', 'RPReLU'"),
        ({'stem_activation': 'Relu'}, "stem_activation 'Relu' is none of"),
        ({'shortcut': 'mean'}, "shortcut 'mean' is none of 'pool', 'conv', 'pad'"),
        ({'shortcut': 'pad', 'widths': [8, 11, 24]}, '8 -> 11 does not allow'),
        ({'shortcut': 'pad', 'widths': [8, 4, 24]}, '8 -> 4 does not allow'),
        ({'activation': 'ReLU'}, "activation='ReLU' leaves no negative number.*take activation='Hardtanh'"),
        ({'stem_activation': 'ReLU'}, "take stem_activation='Hardtanh'"),
        ({'norm_gamma': 0.0}, 'norm_gamma 0.0 must be above 0'),
        ({'init': 'zeros'}, "init 'zeros' is none of 'kaiming', 'kaiming_fan_in', 'torch', 'torch_positive'"),
        ({'input_size': 2}, 'images of 2 x 2 px are too small for this plan'),
        ({'width': [8]}, "did you mean 'widths'"),
    ],
)
def test_bad_plan_is_told_at_construction(changes, message):
    with pytest.raises(ConfigError, match=message):
        small(**changes)
