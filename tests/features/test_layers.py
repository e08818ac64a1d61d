"""Features of layers: which maps they are, and to how many numbers they are pooled."""

from __future__ import annotations

import pytest
import torch
from contracts.small import ENCODER, NORMALIZER
from torch import Tensor, nn

from binssl.binary import BINARY
from binssl.features.layers import LayerReader, chain, pooled_size
from binssl.registry import ALGORITHMS, BACKBONES, ConfigError

SIZED = {
    'ReActNet': (dict(channels=[4, 8, 8, 16, 16], strides=[1, 2, 2, 1], stem_stride=2, conv_cfg=BINARY), 5),
    'TorchvisionResNet': (dict(depth=50, widths=[4, 8, 8], depths=[1, 2, 1], stem='small'), 3),
    'TwoStreamResNet': (dict(widths=[4, 8], depths=[1, 2], stem='small'), 2),
    'ResNet': (dict(widths=[4, 8, 16], depths=[1, 1, 1], stem='small'), 3),
}


def built(backbone: dict) -> nn.Module:
    torch.manual_seed(0)
    return ALGORITHMS.build(dict(type='Encoder', backbone=backbone, data_preprocessor=NORMALIZER)).eval()


def images(side: int = 32) -> Tensor:
    return torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize('kind', SIZED)
def test_feat_layers_are_the_last_maps_of_each_size(kind: str) -> None:
    """Against the same network asked for all its maps."""
    settings, count = SIZED[kind]
    model = built(dict(type=kind, **settings))
    asked = BACKBONES.build(dict(type=kind, **settings, out_indices=list(range(count)))).eval()
    asked.load_state_dict(model.backbone.state_dict())
    last: dict[int, Tensor] = {}
    for one in asked(images()):
        last[one.shape[-1]] = one
    layers = [f'feat{5 - place}' for place in range(len(last))]
    assert len(layers) > 1
    found = LayerReader(model, layers).read(images())
    for layer, side in zip(layers, sorted(last), strict=True):
        torch.testing.assert_close(found[layer], last[side].mean((2, 3)))


@torch.no_grad()
def test_feat1_is_before_the_pool_of_an_imagenet_stem() -> None:
    model = built(dict(type='TorchvisionResNet', depth=18, widths=[4, 4, 4, 8], depths=[1, 1, 1, 1]))
    backbone = model.backbone
    first = torch.relu(backbone.bn1(backbone.conv1(images(64))))
    assert first.shape[-1] == 32
    found = LayerReader(model, ['feat1', 'feat5']).read(images(64))
    torch.testing.assert_close(found['feat1'], first.mean((2, 3)))
    ours = built(dict(type='ResNet', widths=[4, 4, 4, 8], depths=[1, 1, 1, 1]))
    assert LayerReader(ours, ['feat1'], 'svm').read(images(64))['feat1'].shape == (3, 4 * 32 * 32)


@torch.no_grad()
def test_neck_and_modules_are_what_they_give() -> None:
    torch.manual_seed(0)
    model = ALGORITHMS.build(ENCODER).eval()
    small = images(8)
    maps = model.backbone.blocks[0](model.backbone.stem(small))
    found = LayerReader(model, ['backbone.blocks.0', 'neck', 'neck.norm', 'backbone']).read(small)
    torch.testing.assert_close(found['backbone.blocks.0'], maps.mean((2, 3)))
    torch.testing.assert_close(found['neck'], model.extract(small))
    torch.testing.assert_close(found['neck.norm'], model.backbone(small)[-1].mean((2, 3)))
    torch.testing.assert_close(found['backbone'], found['neck.norm'])
    assert list(found) == ['backbone.blocks.0', 'neck', 'neck.norm', 'backbone']
    assert not any(module._forward_hooks for module in model.modules())


@torch.no_grad()
def test_a_layer_is_as_it_was_before_an_activation_in_place() -> None:
    torch.manual_seed(0)
    model = ALGORITHMS.build(ENCODER).eval()
    linear = model.neck.mlp.linear0
    expected = linear(LayerReader(model, ['feat5']).read(images(8))['feat5'])
    assert (expected < 0).any()
    assert model.neck.mlp.relu0.inplace
    name = next(name for name, module in model.named_modules() if module is linear)
    torch.testing.assert_close(LayerReader(model, [name]).read(images(8))[name], expected)


@pytest.mark.parametrize(('channels', 'side'), [(64, 12), (256, 6), (512, 4), (1024, 3), (2048, 2), (20_000, 1)])
def test_svm_pool_keeps_about_nine_thousand_numbers(channels: int, side: int) -> None:
    """The sizes that OpenSelfSup's configs give ResNet-50's maps."""
    assert pooled_size((1, channels, 56, 56), 'svm') == (side, side)
    assert pooled_size((1, channels, 56, 56), 'mean') == (1, 1)


def test_svm_pool_makes_no_more_places_than_there_are() -> None:
    assert pooled_size((1, 64, 7, 5), 'svm') == (7, 5)


@torch.no_grad()
def test_a_chain_without_stages_has_sizes_too() -> None:
    model = built(dict(type='TorchvisionModel', name='mobilenet_v2'))
    widths = {
        layer: rows.shape[1]
        for layer, rows in LayerReader(model, ['feat1', 'feat2', 'feat3', 'feat4', 'feat5']).read(images(64)).items()
    }
    # MobileNetV2's last maps at 1/2 ... 1/32 (the expansions inside its blocks are no link of the chain)
    assert widths == dict(feat1=16, feat2=24, feat3=32, feat4=96, feat5=1280)
    assert chain(nn.ReLU()) != []


@pytest.mark.parametrize(
    ('layers', 'pool', 'words'),
    [
        (['nekc'], 'mean', "no layer 'nekc'; did you mean 'neck'"),
        (['backbone.block.0'], 'mean', "did you mean 'backbone.blocks"),
        (['head'], 'mean', "no layer 'head'"),
        ([], 'mean', 'name at least one'),
        (['neck', 'neck'], 'mean', 'each once'),
        (['neck'], 'max', "no pool 'max'"),
    ],
)
def test_what_does_not_exist_is_told_at_construction(layers: list[str], pool: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace('.', r'\.')):
        LayerReader(ALGORITHMS.build(ENCODER), layers, pool)


def test_a_size_that_no_map_has_is_told() -> None:
    with pytest.raises(ConfigError, match=r'feat1 is not there.* 8 x 8 px have 2 size\(s\), feat4 is the largest'):
        LayerReader(ALGORITHMS.build(ENCODER).eval(), ['feat1']).read(images(8))


def test_a_module_off_the_way_is_told() -> None:
    model = ALGORITHMS.build(dict(ENCODER, head=dict(type='LinearHead', num_classes=3, in_channels=12))).eval()
    with pytest.raises(ConfigError, match='head does nothing on the way'):
        LayerReader(model, ['head']).read(images(8))
