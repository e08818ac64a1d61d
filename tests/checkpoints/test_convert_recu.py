"""ReCU's files keep a tau in every layer, ours one in the config; and files of which nobody has numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch.nn.functional import conv2d, max_pool2d

import binssl
from binssl.binary import BinaryConv2d
from binssl.checkpoints import CheckpointError, convert_checkpoint, read_trained
from binssl.registry import ConfigError

REFERENCE = Path(__file__).parents[1] / 'reference'
sys.path.insert(0, str(REFERENCE))
from fill import reference_images, reference_state_dict  # noqa: E402

# binary convolutions of each
LAYERS = {'recu_vgg_small_cifar': 5, 'recu_resnet20_cifar': 18, 'recu_resnet34_imagenet': 32}


def published(name: str) -> dict[str, torch.Tensor]:
    return {
        key: torch.from_numpy(value) if value.shape else torch.tensor(value.item())
        for key, value in reference_state_dict(name).items()
    }


@pytest.mark.parametrize('name', LAYERS)
def test_tau_goes_into_the_config_and_the_report(name, tmp_path):
    weights = published(name)
    torch.save({'state_dict': weights}, tmp_path / 'a.pth')
    report = convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', name)
    assert f'{name}: {len(weights) - LAYERS[name]} of {len(weights)} tensors taken' in report
    assert f'into the config: tau = 0.9 of {LAYERS[name]} layers, as backbone.conv_cfg.weight.tau' in report
    assert 'dropped' not in report
    recorded = read_trained(tmp_path / 'ours.pth')
    assert recorded.model['backbone']['conv_cfg']['weight']['tau'] == pytest.approx(0.9, abs=1e-7)
    assert not any(key.endswith('tau') for key in recorded.state_dict)
    model = binssl.load_model(tmp_path / 'ours.pth')
    convs = [module for module in model.modules() if isinstance(module, BinaryConv2d)]
    assert len(convs) == LAYERS[name]
    assert all(float(conv.weight_binarizer.tau) == pytest.approx(0.9, abs=1e-7) for conv in convs)


@pytest.mark.parametrize('training', [True, False], ids=['training', 'eval'])
@pytest.mark.parametrize('name', ['recu_vgg_small_cifar', 'recu_resnet18_cifar'])
def test_every_convolution_is_the_published_one_bit_for_bit(name, training, tmp_path):
    """Published: an exact convolution of signs, then times alpha, in float32; so a max pool takes the same pixels."""
    torch.save(published(name), tmp_path / 'a.pth')
    convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', name)
    model = binssl.load_model(tmp_path / 'ours.pth').train(training)
    seen = []

    def compare(conv: BinaryConv2d, inputs: tuple[torch.Tensor], y: torch.Tensor) -> None:
        prepared = inputs[0], conv.weight_binarizer.prepare(conv.weight)
        signs = [torch.where(value >= 0, 1.0, -1.0) for value in prepared]
        sums = conv2d(*signs, None, conv.stride, conv.padding)
        assert torch.equal(sums, sums.round()), 'below 2^24 float32 adds integers exactly'
        wanted = sums * conv.scale.alpha
        assert torch.equal(y, wanted)
        pixels = [max_pool2d(maps, 2, return_indices=True)[1] for maps in (y, wanted)]
        assert torch.equal(*pixels)
        seen.append(conv)

    for module in model.modules():
        if isinstance(module, BinaryConv2d):
            module.register_forward_hook(compare)
    model.backbone(torch.from_numpy(reference_images((2, 3, 32, 32), seed=3)))
    assert len(seen) == {'recu_vgg_small_cifar': 5, 'recu_resnet18_cifar': 16}[name]


def test_another_file_has_another_tau(tmp_path):
    weights = published('recu_vgg_small_cifar')
    for value, out in ((0.99, 'a'), (0.85, 'b')):
        changed = {key: torch.tensor(value) if key.endswith('tau') else tensor for key, tensor in weights.items()}
        torch.save(changed, tmp_path / 'published.pth')
        convert_checkpoint(tmp_path / 'published.pth', tmp_path / out, 'recu_vgg_small_cifar')
        model = binssl.load_model(tmp_path / out)
        assert float(model.backbone.stages[0][0].conv.weight_binarizer.tau) == pytest.approx(value)


@pytest.mark.parametrize(
    ('tau', 'message'),
    [
        (0.8, r'has not one tau for all layers but 0\.8, 0\.9; set the same in each'),
        (float('nan'), 'has not one tau for all layers but'),
    ],
)
def test_layers_that_disagree_are_an_error(tau, message, tmp_path):
    weights = published('recu_vgg_small_cifar')
    torch.save({**weights, 'conv3.tau': torch.tensor(tau)}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=message):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'recu_vgg_small_cifar')
    assert not (tmp_path / 'ours.pth').exists()


def test_a_tau_that_no_layer_takes_is_an_error(tmp_path):
    weights = {
        key: torch.tensor(0.4) if key.endswith('tau') else value
        for key, value in published('recu_vgg_small_cifar').items()
    }
    torch.save(weights, tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match=r'tau 0\.4\d* of RectifiedSign must be above 0\.5'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'recu_vgg_small_cifar')
    assert not (tmp_path / 'ours.pth').exists()


def test_a_file_of_another_network_of_recu_is_a_table(tmp_path):
    torch.save(published('recu_resnet20_cifar'), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'missing \(\d+\):\n +backbone\.stages\.1\.0\.shortcut\.conv'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'recu_resnet18_imagenet')
