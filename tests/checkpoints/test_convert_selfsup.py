"""Published label-free formats: files made up after the published networks give the published networks' outputs."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from reference.fill import reference_state_dict
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet50

import binssl
from binssl.checkpoints import CONVERSIONS, CheckpointError, convert_checkpoint, published_weights, read_checkpoint
from binssl.registry import ALGORITHMS, NECKS

IMAGES = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope='module')
def trunk() -> nn.Module:
    """A ResNet-50 without its classifier, with BatchNorm statistics that are not the initial ones."""
    torch.manual_seed(0)
    network = resnet50()
    network.fc = nn.Identity()
    with torch.no_grad():
        network(IMAGES)
    return network.eval()


def mlp(inside: int, hidden: int, outside: int, bias: bool = True, last_bias: bool = True) -> nn.Sequential:
    return settled(
        nn.Sequential(
            nn.Linear(inside, hidden, bias), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outside, last_bias)
        )
    )


def settled(network: nn.Sequential) -> nn.Sequential:
    torch.manual_seed(1)
    with torch.no_grad():
        network(torch.randn(8, network[0].in_features))
    return network.eval()


def named(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in network.state_dict().items()}


def numbered(prefix: str, network: nn.Sequential) -> dict[str, Tensor]:
    """Open-mmlab's names of Linear, BatchNorm, ReLU, Linear."""
    names = {'0': 'fc0', '1': 'bn0', '3': 'fc1'}
    return {
        f'{prefix}{names[key.split(".")[0]]}.{key.split(".")[1]}': value for key, value in network.state_dict().items()
    }


def loaded(content: dict, name: str) -> nn.Module:
    model = ALGORITHMS.build(copy.deepcopy(CONVERSIONS[name].model))
    model.load_state_dict(published_weights(content, 'a.pth', name), strict=True)
    return model.eval()


@pytest.mark.parametrize(
    'wrap', [lambda weights: weights, lambda weights: {'epoch': 800, 'state_dict': weights}], ids=['bare', 'training']
)
def test_swav_gives_the_published_networks_prototype_scores(trunk, wrap):
    projection, prototypes = mlp(2048, 2048, 128), nn.Linear(128, 3000, bias=False)
    prototypes.weight.data = F.normalize(prototypes.weight.data)  # as the published training leaves them
    weights = {
        **named('module.', trunk),
        **named('module.projection_head.', projection),
        **named('module.prototypes.', prototypes),
    }
    model = loaded(wrap(weights), 'swav_resnet50')
    with torch.no_grad():
        projected = projection(trunk(IMAGES))
        torch.testing.assert_close(model(IMAGES), projected)
        torch.testing.assert_close(model.head.embed(model.extract(IMAGES)), prototypes(F.normalize(projected)))


@pytest.mark.parametrize(
    ('name', 'widen', 'hidden'),
    [('swav_resnet50', 1, 2048), ('swav_resnet50w2', 2, 8192), ('swav_resnet50w4', 4, 8192)],
)
def test_every_width_of_swav_fits_the_published_shapes(name, widen, hidden):
    with torch.device('meta'):
        network = resnet50()
        network.fc = nn.Identity()

        def wide(shape):
            return tuple(size * widen if place < 2 and size != 3 else size for place, size in enumerate(shape))

        weights = {f'module.{key}': torch.empty(wide(value.shape)) for key, value in network.state_dict().items()}
        width = 2048 * widen
        head = nn.Sequential(nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 128))
        weights |= {**named('module.projection_head.', head), 'module.prototypes.weight': torch.empty(3000, 128)}
    ours = published_weights(weights, 'a.pth', name)
    assert ours['backbone.layer4.0.downsample.0.weight'].shape == (2048 * widen, 1024 * widen, 1, 1)
    assert ours['head.prototypes.weight'].shape == (3000, 128)
    other = 'swav_resnet50' if widen > 1 else 'swav_resnet50w4'
    with pytest.raises(CheckpointError, match=rf'not a {other} checkpoint: a\.pth: .*\n  other shape \('):
        published_weights(weights, 'a.pth', other)


def test_simsiam_gives_the_published_networks_projections_and_predictions(trunk):
    projector = settled(
        nn.Sequential(
            nn.Linear(2048, 2048, bias=False),
            nn.BatchNorm1d(2048),
            nn.ReLU(),
            nn.Linear(2048, 2048, bias=False),
            nn.BatchNorm1d(2048),
            nn.ReLU(),
            nn.Linear(2048, 2048),
            nn.BatchNorm1d(2048, affine=False),
        )
    )
    predictor = mlp(2048, 512, 2048, bias=False)
    weights = {
        **named('module.encoder.', trunk),
        **named('module.encoder.fc.', projector),
        **named('module.predictor.', predictor),
    }
    assert 'module.encoder.fc.6.bias' in weights
    model = loaded({'epoch': 100, 'arch': 'resnet50', 'state_dict': weights}, 'simsiam_resnet50')
    with torch.no_grad():
        projected = projector(trunk(IMAGES))
        torch.testing.assert_close(model(IMAGES), projected)
        torch.testing.assert_close(model.head.predict(projected), predictor(projected))


def byol_files(trunk: nn.Module) -> dict[str, tuple[dict[str, Tensor], nn.Module, nn.Module]]:
    """Name -> weights in the published format, projector, predictor."""
    files = {}
    projector, predictor = mlp(2048, 4096, 256, last_bias=False), mlp(256, 4096, 256, last_bias=False)
    files['byol_resnet50'] = (
        {
            **named('backbone.', trunk),
            **numbered('neck.', projector),
            **numbered('head.predictor.', predictor),
            **named('target_net.module.0.', trunk),
            **numbered('target_net.module.1.', projector),
            'target_net.steps': torch.tensor(9),
        },
        projector,
        predictor,
    )
    projector, predictor = mlp(2048, 4096, 256), mlp(256, 4096, 256)
    files['byol_resnet50_openselfsup'] = (
        {
            **named('online_net.0.', trunk),
            **named('online_net.1.mlp.', projector),
            **named('backbone.', trunk),
            **named('target_net.0.', trunk),
            **named('target_net.1.mlp.', projector),
            **named('head.predictor.mlp.', predictor),
        },
        projector,
        predictor,
    )
    whole = {**trunk.state_dict(), 'fc.weight': torch.zeros(1000, 2048), 'fc.bias': torch.zeros(1000)}
    encoder = {**{f'net.{key}': value for key, value in whole.items()}, **named('projector.', projector)}
    files['byol_resnet50_lucidrains'] = (
        {
            **{f'net.{key}': value for key, value in whole.items()},
            **{f'{side}_encoder.{key}': value for side in ('online', 'target') for key, value in encoder.items()},
            **named('online_predictor.', predictor),
        },
        projector,
        predictor,
    )
    return files


@pytest.mark.parametrize('name', [name for name in CONVERSIONS if name.startswith('byol')])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_byol_gives_the_published_networks_projections_and_predictions(trunk, name, prefix):
    weights, projector, predictor = byol_files(trunk)[name]
    model = loaded({'state_dict': {prefix + key: value for key, value in weights.items()}}, name)
    with torch.no_grad():
        projected = projector(trunk(IMAGES))
        torch.testing.assert_close(model(IMAGES), projected)
        torch.testing.assert_close(model.head.predict(projected), predictor(projected))


def test_what_is_left_out_is_said(trunk, tmp_path):
    weights, _, _ = byol_files(trunk)['byol_resnet50_lucidrains']
    torch.save(weights, tmp_path / 'a.pth')
    report = convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', 'byol_resnet50_lucidrains')
    assert f'byol_resnet50_lucidrains: 336 of {len(weights)} tensors taken' in report
    assert 'left out: 649 tensors of copies (target_encoder, net)' in report  # 329 and 320
    assert 'dropped: 2 tensors' in report
    assert 'online_encoder.net: fc' in report
    assert binssl.load_model(tmp_path / 'ours.pth').extract(IMAGES).shape == (4, 2048)


@pytest.mark.parametrize('prefix', ['', 'module.', 'backbone.', 'encoder.', 'module.encoder_q.'])
def test_a_trunk_alone_is_taken_under_any_usual_prefix(trunk, prefix):
    model = loaded({'state_dict': named(prefix, trunk)}, 'resnet50_trunk')
    with torch.no_grad():
        torch.testing.assert_close(model(IMAGES), trunk(IMAGES))


@pytest.mark.parametrize('prefix', ['module.encoder_q.', 'encoder_q.', 'module.', ''])
def test_moco_is_taken_under_any_usual_prefix(trunk, prefix):
    projector = nn.Sequential(nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 128))
    model = loaded({**named(prefix, trunk), **named(f'{prefix}fc.', projector)}, 'moco_v2_resnet50')
    with torch.no_grad():
        torch.testing.assert_close(model(IMAGES), projector(trunk(IMAGES)))


@pytest.mark.parametrize('name', ['swav_resnet50', 'simsiam_resnet50', 'byol_resnet50', 'byol_resnet50_openselfsup'])
def test_a_trunk_alone_is_a_table_and_no_file_where_heads_are_expected(trunk, tmp_path, name):
    torch.save(trunk.state_dict(), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=rf'not a {name} checkpoint.*\n  missing \('):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', name)
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(CheckpointError, match="did you mean 'swav_resnet50'"):
        published_weights({}, 'a.pth', 'swav_resnet5')


@pytest.fixture(scope='module')
def multi_stage() -> dict:
    """BURN's file for a second stage: three state dicts side by side."""

    def classifier(width: int) -> dict[str, Tensor]:
        return {
            key: torch.rand(shape)
            for key, shape in {
                'fc0.weight': (2000, width),
                'fc0.bias': (2000,),
                'bn0.weight': (2000,),
                'bn0.bias': (2000,),
                'bn0.running_mean': (2000,),
                'bn0.running_var': (2000,),
                'bn0.num_batches_tracked': (),
                'fc1.weight': (2000, 2000),
                'fc1.bias': (2000,),
            }.items()
        }

    backbone = {key: torch.as_tensor(value) for key, value in reference_state_dict('burn_reactnet').items()}
    parts = {'backbone': backbone, 'classifier': classifier(1024), 'teacher_classifier': classifier(2048)}
    return {**{part: {'state_dict': weights} for part, weights in parts.items()}, 'author': 'OpenSelfSup'}


def test_burns_multi_stage_file_becomes_one_for_a_second_stage(multi_stage, tmp_path):
    torch.save(multi_stage, tmp_path / 'a.pth')
    name = 'burn_reactnet_binact_multi'
    report = convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'ours.pth', name)
    assert f'{name}: 316 of 316 tensors taken' in report
    content = read_checkpoint(tmp_path / 'ours.pth')
    assert json.loads(content['meta']['model'])['head']['type'] == 'BURNHead'
    ours, theirs = content['state_dict'], multi_stage['teacher_classifier']['state_dict']
    target = NECKS.build(dict(CONVERSIONS[name].target_head))
    target.load_state_dict(
        {key.removeprefix('target_head.'): value for key, value in ours.items() if key.startswith('target_head.')},
        strict=True,
    )
    features = torch.rand(3, 2048)
    hidden = F.batch_norm(
        F.linear(features, theirs['fc0.weight'], theirs['fc0.bias']),
        theirs['bn0.running_mean'],
        theirs['bn0.running_var'],
        theirs['bn0.weight'],
        theirs['bn0.bias'],
    )
    wanted = F.linear(hidden.relu(), theirs['fc1.weight'], theirs['fc1.bias'])
    torch.testing.assert_close(target.eval()(features), wanted)
    assert torch.equal(ours['head.projector.linear1.weight'], multi_stage['classifier']['state_dict']['fc1.weight'])
    assert binssl.load_model(tmp_path / 'ours.pth')(IMAGES).shape == (4, 2000)


def test_a_damaged_part_of_burns_multi_stage_file_is_a_table(multi_stage):
    damaged = copy.copy(multi_stage)
    damaged['teacher_classifier'] = {'state_dict': {'fc0.weight': torch.zeros(2000, 1024)}}
    with pytest.raises(CheckpointError, match=r'target_head\.linear0\.weight \(2000, 1024\), needed \(2000, 2048\)'):
        published_weights(damaged, 'a.pth', 'burn_reactnet_multi')
    with pytest.raises(CheckpointError, match='not a burn_reactnet checkpoint'):
        published_weights(multi_stage, 'a.pth', 'burn_reactnet')
