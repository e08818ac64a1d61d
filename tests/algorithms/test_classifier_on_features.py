"""A classifier whose frozen trunk has made its features already, and numbers that its config leaves open."""

from __future__ import annotations

import pytest
import torch
from contracts.small import CLASSIFIER, batch, build, changed

from binssl.registry import ConfigError

FROZEN = changed(CLASSIFIER, frozen=('backbone', 'neck'))


def without(config: dict, *keys: str) -> dict:
    """The config, its head's ``keys`` left out."""
    return dict(config, head={key: value for key, value in config['head'].items() if key not in keys})


def test_features_score_as_their_images_do(tmp_path):
    model = build(FROZEN, tmp_path).eval()
    data = model.data_preprocessor(batch(1))
    (answers,) = model(**data, mode='predict')
    made = model.data_preprocessor(dict(data, images=[answers['features'].detach()]))
    (again,) = model(**made, mode='predict')
    assert torch.equal(again['scores'], answers['scores'])
    assert torch.equal(again['features'], answers['features'])
    assert torch.equal(model(**made, mode='loss')['loss'], model(**data, mode='loss')['loss'])


def test_features_of_a_trunk_that_learns_are_refused(tmp_path):
    model = build(changed(CLASSIFIER, frozen=('backbone',)), tmp_path)
    features = torch.zeros(2, model.out_channels)
    with pytest.raises(ConfigError, match=r"set model.frozen=\['backbone', 'neck'\]"):
        model(features, torch.tensor([0, 1]), mode='loss')


@pytest.mark.parametrize('as_none', [False, True])
def test_width_that_is_left_out_is_the_trunks(as_none, tmp_path):
    config = changed(CLASSIFIER, head__in_channels=None) if as_none else without(CLASSIFIER, 'in_channels')
    model = build(config, tmp_path)
    assert model.head.in_channels == model.out_channels == CLASSIFIER['head']['in_channels']


def test_width_that_nothing_tells_is_asked_for(tmp_path):
    flat = dict(backbone=dict(type='Pixels'), neck=dict(type='PoolMLP', pool='flatten'))
    config = dict(without(CLASSIFIER, 'in_channels'), **flat)
    with pytest.raises(ConfigError, match=r'head\.in_channels of LinearHead is left out'):
        build(config, tmp_path)


def test_number_of_classes_that_no_data_tell_is_asked_for(tmp_path):
    with pytest.raises(ConfigError, match=r'head\.num_classes is None'):
        build(changed(CLASSIFIER, head__num_classes=None), tmp_path)
