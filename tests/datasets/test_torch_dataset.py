"""Sets of torch and torchvision, and a person's own, in the place of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands.data_configs import loader, write_config
from contracts.small import CLASSIFIER, ENCODER, MOCO
from engine.runs import config
from features.networks import write_network
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from binssl.data_tools.browse import browse
from binssl.data_tools.read_all import analyze
from binssl.datasets import EpochSampler, ImageDataset, ImageFolder, TorchDataset, build_dataset, whole_batch
from binssl.engine import Runner
from binssl.features.folder import extract_features
from binssl.registry import DATASETS, ConfigError, DataError

CROP = [dict(type='torchvision/RandomResizedCrop', size=8), dict(type='torchvision/RandomHorizontalFlip')]
FAST = [dict(type='PhotoCrop', size=8), dict(type='PhotoFlip')]
PLAIN = [dict(type='torchvision/CenterCrop', size=8)]
FAKE = dict(type='torchvision/FakeData', size=48, image_size=(3, 12, 12), num_classes=4)


def fake(views: list | None = None, **settings: Any) -> dict[str, Any]:
    return dict(type='TorchDataset', dataset=dict(FAKE, **settings), views=[PLAIN] if views is None else views)


@DATASETS.register_module()
class OwnPictures(Dataset):
    """Pictures in memory, as a person has them: arrays, tensors or PIL images, with labels or without."""

    def __init__(self, count: int = 10, form: str = 'pil', labels: str = 'given', bad: int = -1) -> None:
        self.pixels = np.random.RandomState(0).randint(0, 256, (count, 12, 10, 3), dtype=np.uint8)
        self.form, self.given, self.bad, self.read = form, labels, bad, 0
        if labels == 'stated':
            self.targets = [index % 3 for index in range(count)]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Any:
        self.read += 1
        if index == self.bad:
            raise RuntimeError('the disk has a hole')
        pixels = self.pixels[index]
        forms: dict[str, Any] = dict(
            pil=Image.fromarray(pixels),
            array=pixels,
            gray=pixels[..., 0],
            tensor=torch.from_numpy(pixels).permute(2, 0, 1),
            float=torch.from_numpy(pixels).permute(2, 0, 1) / 255,
        )
        return forms[self.form] if self.given == 'none' else (forms[self.form], index % 3)


def own(views: list | None = None, more: dict | None = None, **settings: Any) -> TorchDataset:
    return TorchDataset(dict(type='OwnPictures', **settings), [PLAIN] if views is None else views, **(more or {}))


@pytest.mark.parametrize(('model', 'views'), [(CLASSIFIER, 1), (MOCO, 2)], ids=['classifier', 'MoCo'])
def test_a_run_trains_and_validates_on_fake_data(tmp_path: Path, model: dict, views: int) -> None:
    cfg = config(tmp_path, model, epochs=1, batch=16)
    cfg.train_dataloader.dataset = fake([CROP] * views, num_classes=10)
    parts = dict(bank=fake(num_classes=10), query=fake(num_classes=10, random_offset=48))
    cfg.val_dataloader = dict(batch_size=16, sampler=dict(type='EpochSampler', shuffle=False))
    cfg.val_dataloader.dataset = dict(type='BankAndQuery', **parts)
    cfg.update(val_cfg={}, val_evaluator=[dict(type='KNNAccuracy', num_neighbours=[5])])
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3
    assert runner.train_dataloader.dataset.seed == runner.seed
    lines = [json.loads(line) for line in next(Path(cfg.work_dir).rglob('scalars.json')).read_text().splitlines()]
    assert any('knn_top1' in key for line in lines for key in line)


@pytest.mark.parametrize('views', [[CROP, CROP], [FAST, FAST]], ids=['reference', 'fast'])
def test_draws_are_those_of_a_folder_with_the_same_pictures(tmp_path: Path, views: list) -> None:
    data = TorchDataset(dict(type='OwnPictures'), views, seed=5)
    for index in range(10):
        (tmp_path / str(index)).mkdir()
        Image.fromarray(data.dataset.pixels[index]).save(tmp_path / str(index) / 'a.png')
    folder = ImageFolder(tmp_path, views, seed=5)
    for key in [(0, 0), (3, 1), (9, 7)]:
        given, same = data[key], folder[key]
        assert all(torch.equal(*pair) for pair in zip(given['images'], same['images'], strict=True))
        assert torch.equal(given['keys'], same['keys'])
        assert (given['labels'], given['indices']) == (key[0] % 3, key[0])


def test_samples_depend_on_no_batch_and_no_worker() -> None:
    for view in (CROP, FAST):
        epochs = []
        for batch_size, workers in ((4, 0), (5, 2)):
            data = build_dataset(fake([view]), seed=3)
            order = EpochSampler(data, seed=3)
            batches = list(DataLoader(data, batch_size, sampler=order, num_workers=workers, collate_fn=whole_batch))
            epochs.append({key: torch.cat([batch[key] for batch in batches]) for key in ('labels', 'indices', 'keys')})
            epochs[-1]['images'] = torch.cat([batch['images'][0] for batch in batches])
        assert all(torch.equal(epochs[0][key], epochs[1][key]) for key in epochs[0])


@pytest.mark.parametrize('form', ['array', 'tensor', 'gray'])
def test_every_form_of_a_picture_is_the_same(form: str) -> None:
    data, expected = own(form=form), own()
    pixels = np.asarray(expected.original(4))
    if form == 'gray':
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    assert (np.asarray(data.original(4)) == pixels).all()
    assert (data.name(4), data.path(4)) == ('OwnPictures 4', None)


def test_a_picture_of_floats_says_what_to_leave_out() -> None:
    with pytest.raises(ConfigError, match=r'OwnPictures is a Tensor torch.float32.*Leave out ToTensor'):
        own(form='float')[0]


def test_stated_labels_cost_no_reading_and_others_one() -> None:
    stated, read = own(labels='stated'), own()
    for data, reads in ((stated, 0), (read, 10)):
        assert data.labels.tolist() == [index % 3 for index in range(10)]
        assert (data.num_classes, data.labels.dtype) == (3, np.int64)
        assert data.dataset.read == reads
    assert own(labels='none').labels.tolist() == own(more=dict(labels=False)).labels.tolist() == [-1] * 10
    assert own(labels='none')[2]['labels'] == -1
    assert own(more=dict(num_classes=7)).num_classes == 7


def test_stated_labels_that_the_items_do_not_have_are_an_error() -> None:
    data = own(labels='stated')
    data._stated = data.labels + 1
    with pytest.raises(ConfigError, match='OwnPictures 4 has label 1, and the set states 2'):
        data[4]


def test_the_fingerprint_is_of_pixels_and_labels(tmp_path: Path) -> None:
    sets = [own(labels='stated') for _ in range(4)]
    sets[1].dataset.pixels[7, 3, 3, 0] ^= 1
    sets[2]._stated = sets[2].labels + 1
    prints = [data.fingerprint() for data in sets]
    assert len(set(prints[:3])) == 3
    assert prints[0] == prints[3] == own().fingerprint() == TorchDataset(dict(type='OwnPictures'), seed=4).fingerprint()


def test_features_are_kept_and_found_again(tmp_path: Path) -> None:
    weights = write_network(ENCODER, tmp_path / 'weights.pth')
    folders = [
        extract_features(weights, dict(dataset=fake(), num_workers=0), root=tmp_path, device=torch.device('cpu'))
        for _ in range(2)
    ]
    assert folders[0].path == folders[1].path
    assert folders[0].labels.tolist() == build_dataset(fake()).single_labels().tolist()
    assert folders[0].layer('neck').shape == (48, 12)


def test_browse_and_analyze_show_it(tmp_path: Path) -> None:
    file = write_config(tmp_path, train_dataloader=loader(fake([CROP, CROP])), randomness=dict(seed=1))
    assert browse(file, tmp_path / 'sheets', 3)[0].is_file()
    [found] = analyze(file, workers=0)
    assert (found.dataset, found.images, found.files, set(map(tuple, found.sizes))) == ('FakeData', 48, 0, {(12, 12)})
    assert sum(found.counts) == 48


def test_a_bad_image_is_replaced_in_training_and_an_error_in_a_test() -> None:
    data = own(bad=3, count=200)
    assert data[3]['indices'] == 3
    assert data.bad.nonzero().tolist() == [[3]]
    assert data.labels[3] == data[3]['labels']
    assert data.original(3) is None
    data.refuse_bad()
    with pytest.raises(DataError, match=r"'OwnPictures 3' cannot be decoded \(RuntimeError: the disk has a hole, .*py"):
        data[3]


@pytest.mark.parametrize(
    ('inner', 'message'),
    [
        (dict(type='torchvision/FakeDate'), "did you mean 'torchvision/FakeData'"),
        (dict(type='torchvision/FakeData', sise=3), "FakeData does not take 'sise'.*'size'"),
        (dict(type='torchvision/CIFAR10'), "CIFAR10 needs 'root'"),
        (dict(type='torchvision/CIFAR10', root='/nowhere'), 'torchvision/CIFAR10: Dataset not found.*download=True'),
        (dict(type='torchvision/STL10', root='/nowhere', split='no'), "torchvision/STL10.*Unknown value 'no'"),
    ],
)
def test_what_torchvision_does_not_have_is_told(inner: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TorchDataset(inner)


def test_a_typo_in_a_persons_own_set_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = 'class {}:\n    def __init__(self): {}\n    def __len__(self): return 4\n    def __getitem__(self, i): {}\n'
    sets = body.format('Early', 'self.a = misspelt', 'pass') + body.format('Late', 'pass', 'return self.misspelt')
    (tmp_path / 'persons_own.py').write_text(sets)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NameError, match='misspelt') as early:
        TorchDataset(dict(type='persons_own.Early'))
    with pytest.raises(AttributeError, match='misspelt') as late:
        TorchDataset(dict(type='persons_own.Late'))[0]
    for error, line in ((early, 1), (late, 7)):
        assert (error.traceback[-1].path.name, error.traceback[-1].lineno) == ('persons_own.py', line)


def test_seed_is_given_to_who_takes_it_and_views_are_not_asked_for(tmp_path: Path) -> None:
    @DATASETS.register_module(force=True)
    class DictsOfOurs(Dataset):
        """Without a seed, and without the contract."""

        def __len__(self) -> int:
            return 48

        def __getitem__(self, index: int) -> dict[str, Any]:
            image = torch.full((3, 8, 8), index, dtype=torch.uint8)
            return dict(images=[image, image.flip(1)], labels=index % 2, indices=index)

    data = build_dataset(dict(type='DictsOfOurs'), seed=7)
    assert isinstance(data, ImageDataset)
    assert (data.kind, data.num_views, data.labels, data[(3, 1)]['indices']) == ('DictsOfOurs', 2, None, 3)
    assert build_dataset(dict(type='Digits'), seed=7).seed == 7  # type: ignore[attr-defined]
    cfg = config(tmp_path, MOCO, epochs=1, batch=16)
    cfg.train_dataloader.dataset = dict(type='DictsOfOurs')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3


def test_pairs_in_the_place_of_dicts_say_how_to_name_the_set() -> None:
    with pytest.raises(ConfigError, match=r"FakeData gives tuple.*type='TorchDataset', dataset=dict\(type='FakeData'"):
        build_dataset(FAKE)[0]


def test_a_module_that_is_not_there_or_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'my_sets.py').write_text('class Labels:\n    pass\n')
    (tmp_path / 'my_broken.py').write_text('import not_installed_thing\n')
    for kind, words in (('no_sets.Labels', "no module 'no_sets'"), ('my_sets.Lables', "did you mean 'Labels'")):
        with pytest.raises(ConfigError, match=words):
            build_dataset(dict(type='TorchDataset', dataset=dict(type=kind)))
    with pytest.raises(ModuleNotFoundError, match='not_installed_thing') as caught:
        build_dataset(dict(type='TorchDataset', dataset=dict(type='my_broken.Labels')))
    assert str(tmp_path / 'my_broken.py') in [str(entry.path) for entry in caught.traceback]
