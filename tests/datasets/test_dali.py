"""DALI's views: those that the data set itself makes, whatever the batch. Skipped where DALI is not installed."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from imagenet_folder import make_imagenet_folder, truncate
from PIL import Image
from torch import Tensor

from binssl.core.randomness import derive_keys, hash_counters
from binssl.datasets import dali as dali_module
from binssl.datasets.dali import CroppedView, CropPipeline, DaliImages
from binssl.registry import DATASETS, ConfigError
from binssl.views.build import ARRAY, build_views
from binssl.views.draws import draw_crops
from binssl.views.geometry import resize

CROP = dict(type='PhotoCrop', size=32)
FLIP = dict(type='PhotoFlip', p=0.5)
VIEWS = [[CROP, FLIP], [dict(CROP, scale=(0.3, 0.8)), FLIP], CROP]


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_imagenet_folder(tmp_path_factory.mktemp('dali'), train=12, val=4, size=(96, 80)) / 'train'


def config(folder: Path, views: Sequence = VIEWS) -> dict[str, Any]:
    return dict(type='ImageFolder', folder=str(folder), views=views, seed=3)


def build(folder: Path, views: Sequence = VIEWS, threads: int = 2) -> DaliImages:
    pytest.importorskip('nvidia.dali', reason='DALI is an optional extra: pip install "binssl[dali]"')
    return DATASETS.build(dict(type='DaliImages', dataset=config(folder, views), device='cpu', threads=threads))


def apart(first: Tensor, second: Tensor) -> int:
    """The largest difference in grey levels."""
    return int((first.int() - second.int()).abs().max())


def check_against_own(data: DaliImages, indices: Sequence[int], epoch: int = 0) -> dict[str, Any]:
    """Compares a batch of DALI's with the samples that the data set makes one by one; returns the batch."""
    keys = [(index, epoch) for index in indices]
    batch = data.__getitems__(keys)
    for place, key in enumerate(keys):
        own = data.dataset[key]
        assert (own['labels'], own['indices']) == (batch['labels'][place], batch['indices'][place])
        np.testing.assert_array_equal(own['keys'], batch['keys'][place])
        for view, picture in zip(batch['images'], own['images'], strict=True):
            assert view.dtype == torch.uint8
            assert apart(view[place, :, 1:-1, 1:-1], picture[:, 1:-1, 1:-1]) <= 2
            assert apart(view[place], picture) <= 12  # at an edge antialiasing has two customs
    return batch


# without DALI


def test_a_missing_dali_names_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'nvidia.dali', None)
    with pytest.raises(ConfigError, match=r'pip install "binssl\[dali\]"'):
        DaliImages(config(folder))


@pytest.mark.parametrize(
    ('settings', 'complaint'), [(dict(device='cuda'), "neither 'gpu' nor 'cpu'"), (dict(threads=0), 'at least 1')]
)
def test_settings_are_checked(folder: Path, settings: dict, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        DaliImages(config(folder), **settings)


def test_data_sets_without_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dali_module, 'import_dali', lambda: None)
    with pytest.raises(ConfigError, match='Digits has none'):
        DaliImages(dict(type='Digits', split='fit'))


@pytest.mark.parametrize('view', [[FLIP, FLIP, CROP], [FLIP], [CROP, CROP], [CROP, dict(type='PhotoResize')]])
def test_views_of_anything_else_are_refused_with_the_remedy(view: list[dict]) -> None:
    with pytest.raises(ConfigError, match=r'model\.data_preprocessor\.views'):
        CroppedView(build_views([view], owner='a test', takes=ARRAY)[0])


def test_a_bicubic_crop_is_refused() -> None:
    with pytest.raises(ConfigError, match="resizes bilinearly: PhotoCrop's interpolation is 'antialias' or 'linear'"):
        CroppedView(build_views([dict(type='PhotoCrop', interpolation='bicubic')], owner='a test', takes=ARRAY)[0])


def test_boxes_are_those_of_the_transforms_keys() -> None:
    keys = hash_counters(0, 0, np.arange(50))
    chain, alone = build_views([[CROP, FLIP], CROP], owner='a test', takes=ARRAY)
    for view, own in ((chain, derive_keys(keys, 0)), (alone, keys)):
        boxes = [place_box(300, 400) for place_box in draw_crops(own, (0.08, 1.0), (3 / 4, 4 / 3))]
        np.testing.assert_array_equal(CroppedView(view).draw(keys, [(300, 400)] * 50), boxes)


def test_a_crop_of_a_mirrored_photo_is_on_its_other_side() -> None:
    keys = hash_counters(0, 0, np.arange(20))
    (chain,) = build_views([[dict(FLIP, p=1.0), CROP]], owner='a test', takes=ARRAY)
    boxes = CroppedView(chain).draw(keys, [(200, 300)] * 20)
    own = draw_crops(derive_keys(keys, 1), (0.08, 1.0), (3 / 4, 4 / 3))
    top, left, height, width = np.array([place_box(200, 300) for place_box in own]).T
    np.testing.assert_array_equal(boxes[:, 1] + boxes[:, 3], 300 - left)
    np.testing.assert_array_equal(boxes[:, [0, 2, 3]].T, [top, height, width])


def test_a_flip_before_the_crop_gives_the_pixels_of_the_view_itself() -> None:
    photos = np.random.default_rng(0).integers(0, 256, (20, 60, 80, 3), dtype=np.uint8)
    keys, solarize = hash_counters(0, 0, np.arange(20)), dict(type='PhotoSolarize')
    (chain,) = build_views([[FLIP, dict(CROP, interpolation='linear'), solarize]], owner='a test', takes=ARRAY)
    view = CroppedView(chain)
    parts = [
        resize(photo[top : top + height, left : left + width], 32, 32, 'linear')
        for photo, (top, left, height, width) in zip(photos, view.draw(keys, [(60, 80)] * 20), strict=True)
    ]
    finished = view.finish(torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2).contiguous(), keys)
    far = apart(finished.permute(0, 2, 3, 1), torch.from_numpy(np.stack(list(chain(photos, keys)))))
    assert far <= 1


@pytest.mark.parametrize('order', [[0, 1, 2], [1, 0, 2]])
def test_what_follows_the_crop_is_what_the_view_does_itself(order: list[int]) -> None:
    photos = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    keys, solarize = hash_counters(0, 0, np.arange(40)), dict(type='PhotoSolarize')
    # the whole photo, as large as it is: a crop that changes nothing
    whole = dict(CROP, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    view = [[whole, FLIP, solarize][place] for place in order]
    (chain,) = build_views([view], owner='a test', takes=ARRAY)
    batch = torch.from_numpy(photos).permute(0, 3, 1, 2).contiguous()
    finished = CroppedView(chain).finish(batch, keys).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(finished, np.stack(list(chain(photos, keys))))
    assert (finished != photos).any()


def test_a_worker_forked_after_dali_was_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CropPipeline, 'used_by', os.getpid() + 1)
    with pytest.raises(ConfigError, match='num_workers=0'):
        CropPipeline([], 1, 'cpu', 1)


class FailingPipeline:
    """Fails as it is told to, on all batches or on those that hold one certain file."""

    used_by = os.getpid()
    error: RuntimeError = RuntimeError('while it ran, encountered:\n\nno such\n marker')
    odd: bytes | None = None
    runs = 0

    def __init__(self, views: Sequence, most: int, device: str, threads: int) -> None:
        self.most = most

    def run(self, contents: list[np.ndarray], drawn: Sequence) -> list[Tensor]:
        type(self).runs += 1
        if self.odd is None or any(content.tobytes() == self.odd for content in contents):
            raise self.error
        return [torch.zeros(len(contents), 3, 32, 32, dtype=torch.uint8) for _ in drawn]


@pytest.fixture
def failing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[DaliImages, type[FailingPipeline]]:
    pipeline = type('Failing', (FailingPipeline,), {})
    monkeypatch.setattr(dali_module, 'import_dali', lambda: None)
    monkeypatch.setattr(dali_module, 'CropPipeline', pipeline)
    return DaliImages(config(folder), device='cpu'), pipeline


def test_a_photo_that_dali_alone_cannot_decode_is_named_once_and_left_to_the_data_set(
    failing: tuple[DaliImages, type[FailingPipeline]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, pipeline = failing
    logged: list[str] = []
    monkeypatch.setattr(dali_module, 'print_log', lambda message, **_: logged.append(message))
    pipeline.odd = Path(data.index.path(2)).read_bytes()
    batch = data.__getitems__([0, 2, 5])
    assert batch['labels'].tolist() == data.index.labels[[0, 2, 5]].tolist()
    assert pipeline.runs == 1 + 3 + 1  # the batch, its photos one by one, the batch again
    data.__getitems__([(2, 1), (7, 1)])
    assert pipeline.runs == 6
    assert data.odd.nonzero().tolist() == [[2]]
    assert not data.dataset.bad.any()
    assert logged == [f'DALI cannot decode {data.index.path(2)!r} (no such marker): left to the data set']


def test_a_failure_that_is_no_photos_goes_on(failing: tuple[DaliImages, type[FailingPipeline]]) -> None:
    data, pipeline = failing
    with pytest.raises(RuntimeError, match='no such'):
        data.__getitems__([0, 1])
    pipeline.error, pipeline.runs = torch.cuda.OutOfMemoryError('full'), 0
    data.odd.zero_()
    with pytest.raises(torch.cuda.OutOfMemoryError, match='full'):
        data.__getitems__([0, 1])
    assert (pipeline.runs, data.odd.any()) == (1, False)


@pytest.mark.parametrize('on_gpu', [True, False])
def test_views_on_a_gpu_come_in_the_order_of_torchs_stream(on_gpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch.cuda, 'current_stream', lambda: 'the stream')
    pipeline = CropPipeline.__new__(CropPipeline)
    pipeline.on_gpu = on_gpu
    pipeline.pipe = SimpleNamespace(
        feed_input=lambda name, numbers: None,
        run=lambda stream: asked.append(stream) or [SimpleNamespace(as_tensor=lambda: torch.arange(3))],
    )
    assert [view.tolist() for view in pipeline.run([], [])] == [[0, 1, 2]]
    assert asked == ['the stream' if on_gpu else None]


# with it


def test_views_are_those_of_the_data_set(folder: Path) -> None:
    data = build(folder)
    assert (len(data), data.num_views, data.num_classes) == (12, 3, 4)
    first = check_against_own(data, range(12))
    other = check_against_own(data, range(12), epoch=1)
    assert apart(first['images'][0], other['images'][0]) > 10


def test_linear_crops_are_those_of_the_data_set(folder: Path) -> None:
    data = build(folder, [[dict(CROP, interpolation='linear'), FLIP]])
    (views,) = check_against_own(data, range(12))['images']
    assert all(apart(view, data.dataset[index]['images'][0]) <= 2 for index, view in enumerate(views))


def test_a_view_depends_neither_on_its_batch_nor_on_the_threads(folder: Path) -> None:
    data, alone = build(folder), build(folder, threads=1)
    order = [7, 2, 2, 11, 5]
    batch = data.__getitems__(order)
    data.__getitems__(list(range(12)))  # more than the pipeline was built for
    for place, index in enumerate(order):
        for view, picture in zip(batch['images'], alone[index]['images'], strict=True):
            assert torch.equal(view[place], picture)


def test_unusual_files_are_as_the_data_set_decodes_them(tmp_path: Path) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (6, 8, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC)
    (tmp_path / 'class').mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / 'class/a.jpg', quality=90, exif=exif)
    for number, mode in enumerate(['L', 'CMYK', 'RGB']):
        photo.convert(mode).save(tmp_path / f'class/b{number}.jpg', quality=90)
    for mode in ('P', 'RGBA'):
        photo.convert(mode).save(tmp_path / f'class/c{mode}.png')
    check_against_own(build(tmp_path), range(6))


def test_a_truncated_file_is_replaced_as_the_data_set_does_it(tmp_path: Path) -> None:
    root = make_imagenet_folder(tmp_path, train=8, val=4, lists=False)
    data = build(root / 'train')
    truncate(data.index.path(2))
    check_against_own(data, range(8))
    assert data.dataset.bad.nonzero().tolist() == data.odd.nonzero().tolist() == [[2]]
    pipeline = data._pipeline
    check_against_own(data, range(8), epoch=1)
    assert data._pipeline is pipeline


def test_a_used_data_set_pickles(folder: Path) -> None:
    data = build(folder)
    batch = data.__getitems__([0, 1])
    again = pickle.loads(pickle.dumps(data)).__getitems__([0, 1])
    assert all(map(torch.equal, batch['images'], again['images']))
