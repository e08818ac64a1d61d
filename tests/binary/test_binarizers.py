"""Binarizers as modules: built from config, without state, with the maths of their rule."""

import pytest
import torch

from binssl.registry import BINARIZERS, ConfigError

CONFIGS = [
    {'type': 'BoxSign'},
    {'type': 'ApproxSign'},
    {'type': 'IdentitySign'},
    {'type': 'ScaledSign'},
    {'type': 'ScaledSign', 'ste': 'identity'},
    {'type': 'ScaledSign', 'ste': 'identity', 'scale_gradient': True},
    {'type': 'ScaledSign', 'ste': 'clip', 'scale_gradient': True},
]


def expected_gradient(config, weight):
    """The closed form of dy/dw for every element."""
    size = weight.abs()
    inside = (size <= 1).to(weight.dtype)
    window = {
        'BoxSign': inside,
        'ApproxSign': (2 - 2 * size) * inside,
        'IdentitySign': torch.ones_like(weight),
        'ScaledSign': inside if config.get('ste', 'clip') == 'clip' else torch.ones_like(weight),
    }[config['type']]
    return window * size.mean((1, 2, 3), keepdim=True) if config.get('scale_gradient') else window


@pytest.mark.parametrize('config', CONFIGS, ids=str)
def test_forward_and_gradient(config):
    torch.manual_seed(0)
    binarizer = BINARIZERS.build(config)
    assert not binarizer.state_dict()
    weight = torch.randn(4, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    size = weight.detach().abs().mean((1, 2, 3), keepdim=True) if config['type'] == 'ScaledSign' else 1
    y = binarizer(weight)
    torch.testing.assert_close(y.detach(), size * torch.where(weight.detach() >= 0, 1.0, -1.0).double())
    y.sum().backward()
    torch.testing.assert_close(weight.grad, expected_gradient(config, weight.detach()), rtol=1e-14, atol=0)


def test_unknown_window_is_refused():
    with pytest.raises(ConfigError, match="ste is 'triangle'; it must be 'clip' or 'identity'"):
        BINARIZERS.build({'type': 'ScaledSign', 'ste': 'triangle'})


def test_mistyped_key_names_the_right_one():
    with pytest.raises(ConfigError, match="did you mean 'scale_gradient'"):
        BINARIZERS.build({'type': 'ScaledSign', 'scale_gradients': True})
