"""ReActNet-A against what the published implementations of ReActNet, S2-BNN and BURN computed."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from binssl.backbones import ReActNet

REFERENCE = Path(__file__).parents[1] / 'reference'
PARTS = {
    'spatial.shift': 'move11',
    'spatial.conv': 'binary_3x3',
    'spatial.norm': 'bn1',
    'spatial.activation.shift_in': 'move12',
    'spatial.activation.prelu': 'prelu1',
    'spatial.activation.shift_out': 'move13',
    'pointwise.shift': 'move21',
    'pointwise.activation.shift_in': 'move22',
    'pointwise.activation.prelu': 'prelu2',
    'pointwise.activation.shift_out': 'move23',
}
SAME_WIDTH = {'pointwise.convs.0': 'binary_pw', 'pointwise.norms.0': 'bn2'}
WIDER = {
    'pointwise.convs.0': 'binary_pw_down1',
    'pointwise.convs.1': 'binary_pw_down2',
    'pointwise.norms.0': 'bn2_1',
    'pointwise.norms.1': 'bn2_2',
}
TRIANGLE, BOX = {'type': 'ApproxSign'}, {'type': 'BoxSign'}
CLIP = {'type': 'ScaledSign', 'ste': 'clip'}
IDENTITY = {'type': 'ScaledSign', 'ste': 'identity', 'scale_gradient': True}
HEADS = {
    'burn': lambda: nn.Sequential(nn.Linear(1024, 1024), nn.ReLU()),
    'reactnet': lambda: nn.Linear(1024, 1000),
    's2bnn': lambda: nn.Sequential(nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 128)),
}
NETWORKS = {
    'burn_reactnet': (BOX, IDENTITY),
    'burn_reactnet_binact': (BOX, None),
    'reactnet_mobilenet_step1': (TRIANGLE, None),
    'reactnet_mobilenet_step2': (TRIANGLE, CLIP),
    's2bnn_step1_reactnet_mlp': (TRIANGLE, None),
    's2bnn_step2_reactnet_mlp': (TRIANGLE, CLIP),
}


@pytest.fixture(scope='module')
def fill():
    """The recipe of the reference weights."""
    spec = importlib.util.spec_from_file_location('reference_fill', REFERENCE / 'fill.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Network(nn.Module):
    def __init__(self, activation, weight, head):
        super().__init__()
        config = {'type': 'BinaryConv2d', 'activation': activation, 'weight': weight}
        self.backbone = ReActNet(conv_cfg=config)
        self.fc = head

    def forward(self, images):
        return self.fc(self.backbone(images)[-1].mean((2, 3)))


def published_key(key, network, name):
    """The key of the published checkpoint for one of ours; a step 2 of ReActNet says ``weights``."""
    prefix = 'module.encoder_q.' if name.startswith('s2bnn') else ''
    if not key.startswith('backbone.'):
        return prefix + key
    key = key.removeprefix('backbone.')
    if key.startswith('stem.'):
        return prefix + 'feature.0.' + key[5:].replace('conv', 'conv1').replace('norm', 'bn1')
    _, index, rest = key.split('.', 2)
    part, leaf = rest.rsplit('.', 1)
    wider = len(network.backbone.blocks[int(index)].pointwise.convs) == 2
    published = {**PARTS, **(WIDER if wider else SAME_WIDTH)}[part]
    if name == 'reactnet_mobilenet_step2' and published.startswith('binary'):
        leaf = 'weights'
    return f'{prefix}feature.{int(index) + 1}.{published}.{leaf}'


def relative(got, expected):
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize('name', NETWORKS)
def test_outputs_and_gradient_norms(name, fill):
    network = Network(*NETWORKS[name], HEADS[name.split('_')[0]]()).double()
    keys = {key: published_key(key, network, name) for key in network.state_dict()}
    listed = json.loads((REFERENCE / f'{name}.keys.json').read_text())['keys']
    weights = {
        key: torch.from_numpy(fill.reference_tensor(keys[key], tuple(listed[keys[key]]))).reshape(value.shape)
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(weights)
    expected = np.load(REFERENCE / f'{name}.npz')
    images = torch.from_numpy(fill.reference_images((4, 3, 64, 64), 0)).double()

    with torch.no_grad():
        output = network.eval()(images[:2]).numpy()
    assert relative(output, expected['eval_seed0']) < 1e-8

    output = network.train()(images)
    assert relative(output.detach().numpy(), expected['train_out_seed0']) < 1e-8
    (output * torch.from_numpy(fill.reference_cotangent(tuple(output.shape)))).sum().backward()
    published = dict(zip(expected['grad_norm_seed0_names'], expected['grad_norm_seed0_values'], strict=True))
    ours = {keys[key]: parameter.grad.norm().item() for key, parameter in network.named_parameters()}
    # what we do not have, never got a gradient there either
    assert set(ours) == {key for key, norm in published.items() if not np.isnan(norm)}
    for key, norm in ours.items():
        assert norm == pytest.approx(published[key], rel=1e-6), key
