"""The MLP against BURN's published head and a loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from reference.fill import reference_images, reference_state_dict

from binssl.necks import MLP
from binssl.registry import NECKS, ConfigError

REFERENCE = Path(__file__).parents[1] / 'reference'
# the published head's names -> ours
NAMES = {'fc0': 'linear0', 'bn0': 'norm0', 'fc1': 'linear1'}


def published_burn_head() -> MLP:
    mlp = NECKS.build(dict(type='MLP', in_channels=1024, widths=[2000, 2000], norm='BN')).double()
    published = {key: torch.from_numpy(value) for key, value in reference_state_dict('burn_neck').items()}
    mlp.load_state_dict(
        {key.replace(part := key.split('.')[0], NAMES[part]): value for key, value in published.items()}, strict=True
    )
    return mlp


@pytest.mark.parametrize(('mode', 'entry'), [('eval', 'eval_seed0'), ('train', 'train_out_seed0')])
def test_burn_head_gives_the_published_outputs(mode, entry):
    wanted = torch.from_numpy(np.load(REFERENCE / 'burn_neck.npz')[entry])
    mlp = published_burn_head().train(mode == 'train')
    given = mlp(torch.from_numpy(reference_images((4, 1024), 0)).double())
    assert (given - wanted).norm() <= 1e-8 * wanted.norm()


@pytest.mark.parametrize(
    ('options', 'plan'),
    [
        (dict(norm=None), 'linear0 relu0 linear1 relu1 linear2'),
        (dict(norm='BN'), 'linear0 norm0 relu0 linear1 norm1 relu1 linear2'),
        (dict(norm='BN', last_norm=True), 'linear0 norm0 relu0 linear1 norm1 relu1 linear2 norm2'),
        (dict(norm=None, last_activation=True), 'linear0 relu0 linear1 relu1 linear2 relu2'),
    ],
)
def test_layers_come_in_the_order_of_the_plan(options, plan):
    mlp = MLP(4, [5, 6, 7], **options)
    assert [name for name, _ in mlp.named_children()] == plan.split()


def test_outputs_equal_a_loop_over_matrices():
    torch.manual_seed(0)
    mlp = MLP(3, [5, 4], norm=None, last_activation=True).double()
    inputs = torch.randn(6, 3, dtype=torch.float64)
    wanted = inputs.numpy()
    for linear in (mlp.linear0, mlp.linear1):
        weight, bias = linear.weight.detach().numpy(), linear.bias.detach().numpy()
        wanted = np.maximum(wanted @ weight.T + bias, 0)
    np.testing.assert_allclose(mlp(inputs).detach().numpy(), wanted, rtol=1e-12)


def test_input_is_left_as_it_was():
    inputs = -torch.ones(4, 3)
    MLP(3, [2], norm=None, last_activation=True)(inputs)
    assert torch.equal(inputs, -torch.ones(4, 3))


def test_without_bias_only_weights_are_left():
    assert [name for name, _ in MLP(3, [4, 2], norm=None, bias=False).named_parameters()] == [
        'linear0.weight',
        'linear1.weight',
    ]


def test_last_norm_may_be_without_scale_and_shift():
    mlp = MLP(3, [4, 5, 2], bias=False, last_norm=True, last_norm_affine=False)
    assert [norm.affine for name, norm in mlp.named_children() if name.startswith('norm')] == [True, True, False]
    outputs = mlp(torch.randn(32, 3))
    torch.testing.assert_close(outputs.mean(dim=0), torch.zeros(2))
    torch.testing.assert_close(outputs.std(dim=0, correction=0), torch.ones(2), rtol=1e-2, atol=0)


def test_the_last_layer_alone_may_have_a_bias_or_none():
    predictor = MLP(4, [2, 4], bias=False, last_bias=True)
    assert [name for name, _ in predictor.named_parameters()] == [
        'linear0.weight',
        'norm0.weight',
        'norm0.bias',
        'linear1.weight',
        'linear1.bias',
    ]
    biases = [name for name in MLP(4, [2, 4], last_bias=False).state_dict() if name.startswith('linear')]
    assert biases == ['linear0.weight', 'linear0.bias', 'linear1.weight']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(widths=[]), 'widths is empty'),
        (dict(widths=[4, 0]), r'widths of 1 and more, not 3 -> \[4, 0\]'),
        (dict(widths=[4], norm='LN'), "norm 'LN' is unknown: take 'BN' or None"),
        (dict(widths=[4], norm=None, last_norm=True), "last_norm=True needs norm='BN'"),
        (dict(widths=[4], last_norm_affine=False), 'last_norm_affine=False needs last_norm=True'),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        NECKS.build(dict(type='MLP', in_channels=3, **options))
