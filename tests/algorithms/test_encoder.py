"""The base of all algorithms: default parts, the first view, no loss."""

from __future__ import annotations

import pytest
import torch
from contracts.small import BACKBONE, BURN, CLASSIFIER, ENCODER, MOCO, batch, build, changed

from binssl.algorithms import Encoder
from binssl.registry import ALGORITHMS, ConfigError


def test_the_default_neck_is_the_mean_pool(tmp_path):
    model = build(dict(type='Encoder', backbone=BACKBONE), tmp_path).eval()
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(model.extract(images), model.backbone(images)[-1].mean((2, 3)))
    assert model.out_channels == 16


def test_tensor_gives_the_heads_output_before_normalisation(tmp_path):
    model = build(changed(ENCODER, head=MOCO['head']), tmp_path).eval()
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(model(images), model.head.projector(model.extract(images)))


def test_evaluation_looks_at_the_first_view(tmp_path):
    model = build(ENCODER, tmp_path).eval()
    data = model.data_preprocessor(batch(2))
    (answers,) = model(**data, mode='predict')
    assert torch.equal(answers['features'], model.extract(data['images'][0]))


def test_images_of_a_detectors_data_are_refused(tmp_path):
    model = build(ENCODER, tmp_path)
    for mode in ('tensor', 'predict'):
        with pytest.raises(ConfigError, match='is this the file of a trained detector'):
            model([torch.zeros(3, 8, 8), torch.zeros(3, 8, 9)], mode=mode)


def test_runner_steps_work(tmp_path):
    model = build(ENCODER, tmp_path).eval()
    (answers,) = model.val_step(batch(1))
    assert set(answers) == {'features', 'labels', 'indices'}


def test_raw_pixels_as_features(tmp_path):
    neck = dict(type='PoolMLP', pool='flatten')
    model = build(dict(type='Encoder', backbone=dict(type='Pixels'), neck=neck), tmp_path)
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(model.extract(images), images.flatten(1))


def test_it_has_no_loss(tmp_path):
    model = build(ENCODER, tmp_path)
    with pytest.raises(ConfigError, match='Encoder has no loss: it holds a trained network'):
        model(**model.data_preprocessor(batch(1)), mode='loss')


@pytest.mark.parametrize(
    ('config', 'head', 'message'),
    [
        (
            MOCO,
            CLASSIFIER['head'],
            'MoCo needs a head that offers embed, contrast, temperature, embedding_channels; LinearHead does not',
        ),
        (BURN, MOCO['head'], 'BURN needs a head that offers .*information; ContrastiveHead does not'),
        (CLASSIFIER, None, 'Classifier: head is None; it must be dict'),
    ],
)
def test_the_head_of_another_algorithm_is_an_error(config, head, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(config, head=head), tmp_path)


def test_unknown_part_is_named():
    with pytest.raises(ConfigError, match="no backbone is called 'ReActNett'; did you mean 'ReActNet'"):
        ALGORITHMS.build(dict(type='Encoder', backbone=dict(type='ReActNett')))


def test_a_part_that_does_not_tell_its_width_is_not_checked(tmp_path):
    model = build(
        dict(
            type='Encoder',
            backbone=dict(type='Pixels'),
            neck=dict(type='PoolMLP', pool='flatten', in_channels=192, widths=[5]),
        ),
        tmp_path,
    )
    assert isinstance(model, Encoder)
    assert model.out_channels == 5


FLAT = dict(type='PoolMLP', pool='flatten')


def vgg(input_size: int | None) -> dict:
    return dict(type='VGG', widths=[8, 8], depths=[1, 1], input_size=input_size)


@pytest.mark.parametrize(
    ('neck', 'head', 'input_size', 'message'),
    [
        (FLAT, 32, 8, None),
        (dict(FLAT, in_channels=32, widths=[5]), 5, 8, None),
        (FLAT, 8, 8, 'the head takes 8 channels, the neck gives 32'),
        (FLAT, 32, 16, 'the head takes 32 channels, the neck gives 128'),
        (FLAT, 8, None, None),
        (
            dict(FLAT, in_channels=8, widths=[5]),
            5,
            8,
            "the neck takes 8 channels, the backbone's flattened map gives 32",
        ),
        (dict(type='PoolMLP'), 8, 8, None),
    ],
)
def test_a_flattened_map_is_as_wide_as_it_is_large(neck, head, input_size, message):
    config = dict(
        type='Encoder',
        backbone=vgg(input_size),
        neck=neck,
        head=dict(type='LinearHead', num_classes=3, in_channels=head),
    )
    if message is None:
        model = ALGORITHMS.build(config)
        if input_size:
            assert model(torch.randn(2, 3, input_size, input_size)).shape == (2, 3)
            assert model.out_channels == head
        return
    with pytest.raises(ConfigError, match=message):
        ALGORITHMS.build(config)
