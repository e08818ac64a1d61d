"""tools/extract_features.py and tools/visualize_embedding.py as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands.data_configs import loader, write_config
from contracts.small import ENCODER
from features.networks import write_network
from missing_library import hide
from PIL import Image
from safetensors.numpy import load_file
from sklearn.neighbors import NearestNeighbors

from binssl.checkpoints import load_model
from binssl.datasets import Digits
from binssl.evaluation import EvaluationError
from binssl.features import pictures
from binssl.features.extract import extract_to_file, parse_extraction
from binssl.features.pictures import draw_embedding, embed_features, nearest_images, parse_visualisation, visualise
from binssl.registry import ConfigError

FEW = dict(type='FewLabels', dataset=dict(type='Digits', split='test'), percent=20)
RANDOM = dict(FEW, dataset=dict(type='Digits', split='train', views=[dict(type='DigitsAugment', degrees=20.0)]))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A config with random training views, plain ones to validate, and weights."""
    config = write_config(tmp_path, train_dataloader=loader(RANDOM), val_dataloader=loader(FEW))
    return [config, str(write_network(ENCODER, tmp_path / 'weights.pth'))]


def extract(files: list[str], out: Path, *more: str) -> None:
    extract_to_file(parse_extraction([*files, '--out', str(out), '--device', 'cpu', *more]))


def draw(files: list[str], out: Path, *more: str) -> None:
    visualise(parse_visualisation([*files, '--out', str(out), '--device', 'cpu', *more]))


def test_both_kinds_of_files_hold_layers_labels_and_where_they_come_from(files: list[str], tmp_path: Path) -> None:
    layers = ['--layers', 'neck', 'feat5', 'backbone.stem']
    extract(files, tmp_path / 'f.npz', *layers)
    extract(files, tmp_path / 'f.safetensors', *layers)
    content, tensors = np.load(tmp_path / 'f.npz'), load_file(tmp_path / 'f.safetensors')
    assert set(content) == {'neck', 'feat5', 'backbone.stem', 'labels', 'facts'}
    for name, values in tensors.items():
        assert (content[name] == values).all()
    facts = json.loads(str(content['facts']))
    assert facts['layers'] == {'neck': 12, 'feat5': 16, 'backbone.stem': 8}
    assert len(facts['weights']) == len(facts['data']) == 64
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith('.')]
    model: Any = load_model(files[1])
    pixels = Digits('test').__getitems__(range(360))['images'][0]
    with torch.no_grad():
        every = model.extract(model.data_preprocessor(dict(images=[pixels]), False)['images'][0]).numpy()
    distances = np.abs(every[:, None] - content['neck'][None]).max(2)  # of each row to that of each image of the set
    assert (distances.min(0) < 1e-5).all()


def test_training_images_take_the_views_of_the_validation(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'views of FewLabels are random.*--views-of val'):
        extract(files, tmp_path / 'f.npz', '--split', 'train')
    kept = ['--cache-features', str(tmp_path / 'kept')]
    extract(files, tmp_path / 'f.npz', '--split', 'train', '--views-of', 'val', *kept)
    facts = json.loads(str(np.load(tmp_path / 'f.npz')['facts']))
    assert facts['dataset']['dataset'] == dict(type='Digits', split='train')
    assert len(list((tmp_path / 'kept').glob('*/features.json'))) == 1


@pytest.mark.parametrize(
    ('out', 'more', 'words'),
    [
        ('f.h5', [], "as .npz or .safetensors, not as '.h5'"),
        ('f', [], 'a file without an ending'),
        ('there.npz', [], 'there.npz exists; remove it, name another file, or give --force'),
        ('.', [], 'not as'),
        ('f.npz', ['--split', 'test'], 'has no test_dataloader: give --split train or val'),
        ('f.npz', ['--layers', 'backbone.stemm'], "did you mean 'backbone.stem"),
        ('f.npz', ['--cfg-options', 'val_dataloader.dataset.percents=3'], "did you mean 'percent'"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(
    out: str, more: list[str], words: str, files: list[str], tmp_path: Path
) -> None:
    (tmp_path / 'there.npz').write_text('precious')
    with pytest.raises(ConfigError) as caught:
        extract(files, tmp_path / out, *more)
    assert words in str(caught.value)
    assert (tmp_path / 'there.npz').read_text() == 'precious'
    if out == 'there.npz':
        extract(files, tmp_path / out, '--force')
        assert len(np.load(tmp_path / out)['labels']) == 72


def test_a_library_that_is_missing_is_named(files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, 'safetensors')
    with pytest.raises(ConfigError, match=r'binssl\[safetensors\]'):
        extract(files, tmp_path / 'f.safetensors')
    monkeypatch.setattr(pictures, 'find_spec', lambda name: None if name == 'umap' else object())
    with pytest.raises(ConfigError, match=r'binssl\[umap\]'):
        draw(files, tmp_path / 'f.png', '--method', 'umap')


def test_clusters_stay_together_in_the_plane() -> None:
    state = np.random.RandomState(0)
    labels = np.arange(60) % 3
    features = (10 * np.eye(3, 8)[labels] + state.normal(size=(60, 8))).astype(np.float32)
    points = embed_features(features, 'tsne')
    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(return_distance=False)[:, 0]
    assert (labels[nearest] == labels).all()
    assert (embed_features(features, 'tsne') == points).all()
    with pytest.raises(EvaluationError, match='4 images make no picture'):
        embed_features(features[:4], 'tsne')


def test_picture_and_sheet_are_drawn(files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr('binssl.features.pictures.draw_embedding', lambda *values: given.append(values))
    draw(files, tmp_path / 'points.png', '--images', '30')
    points, labels, names, title, path = given[0]
    assert (points.shape, names, path.name) == ((30, 2), [str(digit) for digit in range(10)], 'points.png')
    assert 'neck of 30 images' in title
    draw_embedding(points, np.where(labels == 3, -1, labels), names, title, tmp_path / 'points.png')
    with Image.open(tmp_path / 'points.png') as picture:
        colours = {colour for _, colour in picture.convert('RGB').getcolors(1 << 20)}
    assert (211, 211, 211) in colours  # the grey of images without a label
    assert (31, 119, 180) in colours  # the first class's
    draw(files, tmp_path / 'sheet.png', '--neighbours', '3', '--queries', '4')
    with Image.open(tmp_path / 'sheet.png') as sheet:
        assert sheet.width > 4 * 128
        assert sheet.height > 2 * 128
    assert not list(tmp_path.glob('.*'))


def test_a_sheet_counts_no_class_of_images_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    sheet = (Image.new('L', (1, 1)), None)
    monkeypatch.setattr(pictures, 'draw_sheet', lambda samples, side: drawn.extend(samples) or sheet)
    data = Digits('test')
    data.labels = np.array([3, 3, 5, -1])
    nearest, similarity = np.array([[1, 2], [2, 1]]), np.ones((2, 2))
    pictures.draw_neighbours(data, [0, 3], nearest, similarity, tmp_path / 'sheet.png')
    assert drawn[0].note == 'label 3; 1 of its 2 neighbours are of its class'
    assert drawn[1].note == 'no label'


def test_neighbours_are_scikit_learns() -> None:
    features = np.random.RandomState(0).normal(size=(50, 6)).astype(np.float32)
    queries = [0, 17, 49]
    nearest, similarity = nearest_images(features, queries, 5)
    search = NearestNeighbors(n_neighbors=6, metric='cosine', algorithm='brute').fit(features)
    distances, indices = search.kneighbors(features[queries])
    assert (nearest == indices[:, 1:]).all()  # the first is the image itself
    np.testing.assert_allclose(similarity, 1 - distances[:, 1:], atol=1e-5)
    twins = np.array([[1.0, 0], [2, 0], [3, 0], [0, 1]], dtype=np.float32)
    assert nearest_images(twins, [1], 3)[0].tolist() == [[0, 2, 3]]
    for count in (0, 4):
        with pytest.raises(EvaluationError, match=f'{count} neighbours were asked for, and each image has 3 others'):
            nearest_images(twins, [1], count)


@pytest.mark.parametrize(
    ('out', 'more', 'words'),
    [
        ('f.gif', [], '.png or .jpg or .jpeg'),
        ('f.png', ['--images', '0'], '--images 0 must be at least 1'),
        ('f.png', ['--neighbours', '-1'], '--neighbours -1 must be at least 1'),
        ('f.png', ['--images', '4'], '4 images make no picture; at least 5 do'),
        ('f.png', ['--neighbours', '72'], '72 neighbours were asked for, and each image has 71 others'),
        ('there.png', [], 'exists'),
    ],
)
def test_a_picture_that_cannot_be_is_told_before_any_work(
    out: str, more: list[str], words: str, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('binssl.features.extract.extract_features', lambda *_, **__: pytest.fail('it started'))
    (tmp_path / 'there.png').write_text('precious')
    with pytest.raises(ConfigError) as caught:
        draw(files, tmp_path / out, *more)
    assert words in str(caught.value)
