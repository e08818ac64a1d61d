"""Folders of features: the rows themselves, when they are computed, and when they are taken as they were kept."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contracts.small import ENCODER
from features.networks import write_network
from imagenet_folder import make_imagenet_folder, truncate
from made_up_voc_boxes import make_devkit

from binssl.checkpoints import CheckpointError, load_model, read_checkpoint, write_checkpoint
from binssl.datasets import Digits, ImageFolder
from binssl.evaluation import EvaluationError
from binssl.features.folder import FeatureFolder, extract_features, with_views_of
from binssl.features.rows import RowMaker
from binssl.registry import ConfigError

CPU = torch.device('cpu')
TEST = dict(type='Digits', split='test')
FEW = dict(type='FewLabels', dataset=TEST, percent=10)
PLAIN = [[dict(type='torchvision/Resize', size=[8, 8])]]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_network(ENCODER, tmp_path / 'weights.pth')


def extract(
    weights: Path, dataset: dict = FEW, *layers: str, pool: str = 'mean', batch_size: int = 100, **loader: Any
) -> FeatureFolder:
    loader |= dict(dataset=dataset, batch_size=batch_size)
    return extract_features(weights, loader, layers or ('neck',), weights.parent / 'kept', pool=pool, device=CPU)


def forbid_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: Any) -> None:
        raise AssertionError('features were computed again')

    monkeypatch.setattr(RowMaker, 'write', write)


def test_rows_are_the_features_of_each_image_alone(weights: Path) -> None:
    folder = extract(weights, TEST, 'neck', 'feat5', 'backbone.blocks.0')
    model, data = load_model(weights), Digits('test')
    assert folder.layer('neck').shape == (360, 12)
    assert folder.layer('neck').dtype == np.float32
    assert folder.labels.tolist() == data.labels.tolist()
    for index in (0, 99, 100, 359):
        batch = model.data_preprocessor(dict(images=[data[index]['images'][0][None]]), False)
        with torch.no_grad():
            maps = model.backbone(batch['images'][0])[-1]
            alone = dict(neck=model.extract(batch['images'][0]), feat5=maps.mean((2, 3)))
        for layer, row in alone.items():
            np.testing.assert_allclose(folder.layer(layer)[index], row[0].numpy(), rtol=1e-5, atol=1e-6)
    assert folder.facts['layers'] == {'neck': 12, 'feat5': 16, 'backbone.blocks.0': 8}
    assert (folder.facts['images'], folder.facts['num_classes']) == (360, 10)
    assert folder.facts['versions']['torch'] == torch.__version__


def test_kept_features_are_taken_as_they_are(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = extract(weights)
    forbid_computing(monkeypatch)
    again = extract(weights)
    assert again.path == first.path
    assert (again.layer('neck') == first.layer('neck')).all()
    assert [entry.name for entry in first.path.parent.iterdir()] == [first.path.name]  # nothing unfinished stays


def test_layers_are_added_to_the_folder(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = extract(weights)
    neck = (first.path / 'neck.npy').stat().st_mtime_ns
    more = extract(weights, FEW, 'feat5', 'neck')
    assert more.path == first.path
    assert (more.path / 'neck.npy').stat().st_mtime_ns == neck
    assert set(more.facts['layers']) == {'neck', 'feat5'}
    more.check()
    forbid_computing(monkeypatch)
    extract(weights, FEW, 'feat5')


def test_other_weights_data_views_or_pool_are_other_folders(weights: Path, tmp_path: Path) -> None:
    other = write_network(ENCODER, tmp_path / 'other.pth', seed=1)
    turned = dict(FEW, dataset=dict(TEST, views=[dict(type='DigitsAugment')]))
    folders = [
        extract(weights),
        extract(other),
        extract(weights, dict(FEW, draw=1)),
        extract(weights, turned),
        extract(weights, pool='svm'),
    ]
    assert len({folder.path for folder in folders}) == 5
    copied = tmp_path / 'copied.pth'
    copied.write_bytes(weights.read_bytes())
    assert extract(copied).path == folders[0].path


def test_a_file_that_has_changed_is_not_taken(weights: Path) -> None:
    folder = extract(weights)
    rows = np.load(folder.path / 'neck.npy')
    np.save(folder.path / 'neck.npy', rows + 1)
    with pytest.raises(ConfigError, match=r'neck\.npy is not as it was written: remove the folder'):
        extract(weights)
    (folder.path / 'neck.npy').unlink()
    with pytest.raises(ConfigError, match='is not as it was written'):
        extract(weights)


def test_an_interrupted_run_leaves_nothing(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RowMaker, 'write', interrupted)
        with pytest.raises(KeyboardInterrupt):
            extract(weights)
    assert not list((weights.parent / 'kept').iterdir())
    extract(weights).check()


def test_what_a_killed_run_left_is_removed(weights: Path) -> None:
    folder = extract(weights)
    (folder.path / 'features.json').rename(folder.path / 'moved.json')
    folder.path.rename(unfinished := folder.path.with_name(f'.{folder.path.name}.{platform.node()}.999999999.tmp'))
    elsewhere = folder.path.with_name(f'.{folder.path.name}.another-machine.1.tmp')
    elsewhere.mkdir()
    assert extract(weights).path == folder.path
    assert not unfinished.exists()
    assert elsewhere.exists()


def test_random_views_are_refused_and_plain_ones_are_not(weights: Path, tmp_path: Path) -> None:
    for kind in (dict(type='DigitsAugment', degrees=5.0), dict(type='DigitsAugment', translate=0.1)):
        with pytest.raises(ConfigError, match=r'views of Digits are random \(image .*views of the validation'):
            extract(weights, dict(TEST, views=[kind]))
    with pytest.raises(ConfigError, match='2 views of an image; features are of one'):
        extract(weights, dict(TEST, views=[dict(type='DigitsAugment')] * 2))
    photos = make_imagenet_folder(tmp_path / 'photos', train=4, val=4, classes=2, size=(12, 10)) / 'val'
    flipped = [[*PLAIN[0], dict(type='torchvision/RandomHorizontalFlip')]]
    with pytest.raises(ConfigError, match='views of ImageFolder are random'):
        extract(weights, dict(type='ImageFolder', folder=str(photos), views=flipped))
    assert not (weights.parent / 'kept').exists()


def test_photos_on_disk(weights: Path, tmp_path: Path) -> None:
    photos = make_imagenet_folder(tmp_path / 'photos', train=4, val=8, classes=2, size=(12, 10)) / 'val'
    dataset = dict(type='ImageFolder', folder=str(photos), views=PLAIN)
    folder = extract(weights, dataset, batch_size=3, num_workers=0)
    assert folder.labels.tolist() == [0] * 4 + [1] * 4
    assert folder.facts['classes'] == ImageFolder(photos).classes
    both = dict(type='BankAndQuery', bank=dict(dataset), query=dict(dataset))
    assert len(extract(weights, both, batch_size=3, num_workers=0).labels) == 16


@pytest.mark.parametrize('place', [0, 5])  # the views are tried on the first, the other is met in a batch
@pytest.mark.parametrize(
    'wrap',
    [
        lambda data: data,
        lambda data: dict(type='BankAndQuery', bank=data, query=data),
        lambda data: dict(type='SomeOfEachClass', dataset=data, per_class=4),
    ],
)
def test_no_row_is_of_another_image(weights: Path, tmp_path: Path, wrap: Callable, place: int) -> None:
    photos = make_imagenet_folder(tmp_path / 'photos', train=4, val=8, classes=2, size=(12, 10)) / 'val'
    bad = sorted(photos.glob('*/*'))[place]
    truncate(bad)
    dataset = wrap(dict(type='ImageFolder', folder=str(photos), views=PLAIN))
    with pytest.raises(ConfigError, match=r'cannot be decoded .*: repair it, or take it out of') as told:
        extract(weights, dataset, batch_size=3, num_workers=0)
    assert str(bad) in str(told.value)
    assert not [*tmp_path.glob('kept/*'), *tmp_path.glob('kept/.*')]


def test_the_views_of_another_set_go_where_a_set_takes_its_own() -> None:
    ours = dict(type='TorchDataset', dataset=dict(type='torchvision/FakeData', size=4), views=[None, None])
    other = dict(type='SomeOfEachClass', dataset=dict(ours, views=PLAIN), per_class=1)
    assert with_views_of(ours, other) == dict(ours, views=PLAIN)
    assert with_views_of(dict(other, per_class=2), FEW)['dataset'] == dict(type=ours['type'], dataset=ours['dataset'])
    assert with_views_of(FEW, ours) == dict(FEW, dataset=dict(TEST, views=[None, None]))
    assert ours['views'] == [None, None]  # a copy was changed


def test_images_of_their_own_sizes_are_told(weights: Path, tmp_path: Path) -> None:
    devkit = make_devkit(tmp_path / 'devkit', {('VOC2007', 'test'): 3})
    with pytest.raises(ConfigError, match='VOCDetection gives images of their own sizes'):
        extract(weights, dict(type='VOCDetection', sets=[('VOC2007', 'test')], root=str(devkit)))


def test_what_is_wrong_is_told_before_anything_is_written(weights: Path, tmp_path: Path) -> None:
    content = read_checkpoint(weights)
    headless = {key: value for key, value in content['state_dict'].items() if not key.startswith('backbone.')}
    write_checkpoint({**content, 'state_dict': headless}, tmp_path / 'without_trunk.pth')
    with pytest.raises(CheckpointError, match=r'without_trunk\.pth: the file holds no trunk: of the model only neck'):
        extract(tmp_path / 'without_trunk.pth')
    write_checkpoint({**content, 'meta': {'model': json.dumps(dict(type='Encoder'))}}, tmp_path / 'no_backbone.pth')
    with pytest.raises(CheckpointError, match='without a backbone'):
        extract(tmp_path / 'no_backbone.pth')
    with pytest.raises(CheckpointError, match='there is no checkpoint'):
        extract(tmp_path / 'nothing.pth')
    with pytest.raises(ConfigError, match="no layer 'nek'"):
        extract(weights, FEW, 'nek')
    with pytest.raises(ConfigError, match='feat1 is not there'):
        extract(weights, FEW, 'feat1')
    with pytest.raises(ConfigError, match="no dataset is called 'Digit'"):
        extract(weights, dict(type='Digit'))
    assert not [entry for entry in tmp_path.glob('kept/*') if not entry.name.startswith('.')]


def test_a_network_that_diverged_is_told(weights: Path, tmp_path: Path) -> None:
    content = read_checkpoint(weights)
    next(value for key, value in content['state_dict'].items() if key.startswith('neck.')).fill_(3e38)
    write_checkpoint(content, tmp_path / 'diverged.pth')
    with pytest.raises(EvaluationError, match='neck: features of images from 0 on are not finite'):
        extract(tmp_path / 'diverged.pth')


def test_a_folder_names_what_it_lacks(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no layer 'feat5'; it has neck"):
        extract(weights).layer('feat5')
    with pytest.raises(ConfigError, match='holds no features'):
        FeatureFolder.open(tmp_path)
