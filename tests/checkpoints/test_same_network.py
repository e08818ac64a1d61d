"""A real and a binary network have the same keys and shapes: their configs must tell them apart."""

import json
from pathlib import Path

import pytest
import torch

from binssl.checkpoints import differing_network, write_checkpoint
from binssl.registry import ALGORITHMS, ConfigError

SMALL = dict(type='ReActNet', channels=[8, 8], strides=[1], stem_stride=1)
REAL = dict(SMALL, conv_cfg=dict(type='Conv2d'))


def test_equal_networks_and_mere_defaults_do_not_differ() -> None:
    assert differing_network(REAL, dict(REAL, channels=(8, 8))) == []
    assert differing_network(dict(REAL, input_size=8), REAL) == []


def test_precision_is_compared_even_where_one_side_leaves_it_out() -> None:
    (row,) = differing_network(REAL, SMALL, 'backbone')
    assert row.startswith('backbone.conv_cfg: ')
    binary_input = dict(type='BinaryConv2d', activation=dict(type='ApproxSign'))
    binary = dict(binary_input, weight=dict(type='ScaledSign'))
    (row,) = differing_network(binary_input, binary)
    assert row.startswith('weight: None in the file')


def test_a_value_that_a_schedule_moves_may_differ() -> None:
    ended, begins = (dict(type='RectifiedSign', tau=tau) for tau in (0.99, 0.85))
    assert differing_network(dict(weight=ended), dict(weight=begins)) == []
    assert differing_network(dict(weight=ended), dict(weight=dict(type='RectifiedSign'))) == []


@pytest.mark.parametrize(
    ('part', 'settings', 'rows'),
    [
        (dict(type='BinaryConv2d', activation=dict(type='ApproxSign')), dict(pad_value=1), 1),
        (dict(type='BinaryConv2d', activation=dict(type='ApproxSign')), dict(pad_value=0), 0),
        (dict(type='PoolMLP'), dict(pool='flatten'), 1),
        (dict(type='PoolMLP', in_channels=8, widths=[8]), dict(last_activation=True), 1),
        (dict(type='ResNet', stem='small'), dict(shortcut='conv'), 1),
        (dict(type='ResNet', stem='small'), dict(shortcut='pool', stem_activation=None), 0),
        (SMALL, dict(init='published_s2bnn'), 0),
        (dict(type='ScaledSign'), dict(ste='identity', scale_gradient=True), 0),
        (dict(type='ImageNormalizer', mean=[1.0] * 3, std=[2.0] * 3), dict(channels_last=True), 0),
        (dict(type='TorchvisionResNet'), dict(depths=[3, 4, 6, 3], widths=[64, 128, 256, 512]), 0),
    ],
)
def test_a_setting_that_one_side_leaves_out_is_its_default(part: dict, settings: dict, rows: int) -> None:
    assert len(differing_network(part, {**part, **settings})) == rows
    assert len(differing_network({**part, **settings}, part)) == rows
    nested = differing_network(dict(type='X', conv_cfg=part), dict(type='X', conv_cfg={**part, **settings}))
    assert len(nested) == rows


def test_differing_values_are_named_with_both() -> None:
    rows = differing_network(REAL, dict(REAL, channels=[8, 16]))
    assert rows == ['channels: [8, 8] in the file, [8, 16] in the config']


def test_a_teacher_with_the_weights_of_a_binary_network_is_refused(tmp_path: Path) -> None:
    binary = ALGORITHMS.build(dict(type='Encoder', backbone=SMALL))
    meta = dict(model=json.dumps(dict(type='Encoder', backbone=SMALL)), kind='weights')
    content = dict(format_version=1, state_dict=binary.state_dict(), meta=meta)
    write_checkpoint(content, tmp_path / 'weights.pth')
    teacher = dict(type='FrozenTeacher', checkpoint=str(tmp_path / 'weights.pth'))
    with pytest.raises(ConfigError, match=r'another network than the teacher: backbone\.conv_cfg'):
        ALGORITHMS.build(dict(teacher, backbone=REAL))
    same = ALGORITHMS.build(dict(teacher, backbone=SMALL))
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(same.extract(images), binary.eval().extract(images))
