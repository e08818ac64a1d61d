"""Photos on disk: views, seeds, bad images, and ImageNet's layouts."""

import logging
import os
import pickle
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from imagenet_folder import make_imagenet_folder, truncate
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader

from binssl.core.randomness import hash_counters
from binssl.datasets import EpochSampler, ImageFolder, ImageList, ImageNet, whole_batch
from binssl.datasets import images as images_module
from binssl.datasets.decode import read_array, read_image
from binssl.registry import DATASETS, ConfigError, DataError

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/datasets'
PLAIN = dict(type='torchvision/Resize', size=(32, 32))
RANDOM = [
    dict(type='torchvision/RandomResizedCrop', size=32, interpolation='bicubic'),
    dict(type='torchvision/RandomHorizontalFlip'),
    dict(
        type='torchvision/RandomApply',
        transforms=[dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)],
        p=0.6,
    ),
    dict(type='torchvision/RandomGrayscale', p=0.2),
    dict(type='GaussianBlur', p=0.5),
]


ARRAYS = [
    dict(type='PhotoCrop', size=32),
    dict(type='PhotoFlip'),
    dict(type='PhotoJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8),
    dict(type='PhotoGrayscale'),
    dict(type='PhotoBlur'),
]


def same(first: dict, second: dict) -> bool:
    pictures = zip(first['images'], second['images'], strict=True)
    return first['labels'] == second['labels'] and all(torch.equal(a, b) for a, b in pictures)


def load(data: ImageNet, num_workers: int, batch_size: int, epoch: int = 1) -> dict[int, dict]:
    sampler = EpochSampler(data)
    sampler.set_epoch(epoch)
    loader = DataLoader(data, batch_size, sampler=sampler, num_workers=num_workers, collate_fn=whole_batch)
    return {
        int(index): dict(images=[view[place] for view in batch['images']], labels=int(batch['labels'][place]))
        for batch in loader
        for place, index in enumerate(batch['indices'])
    }


# reading


def test_an_image_is_decoded_as_pillow_does(shared_imagenet):
    path = next((shared_imagenet / 'train').rglob('*.JPEG'))
    np.testing.assert_array_equal(np.asarray(read_image(path)), np.asarray(Image.open(path).convert('RGB')))


@pytest.mark.parametrize('mode', ['L', 'P', 'CMYK', 'RGBA', '1'])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ('image.tif' if mode == 'CMYK' else 'image.png')
    Image.new('RGB', (6, 4), (255, 255, 255)).convert(mode).save(path)
    image = read_image(path)
    assert (image.mode, image.size) == ('RGB', (6, 4))
    assert np.asarray(image).min() == 255


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((8, 16, 3), dtype=np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the picture is to be shown turned clockwise by 90 degrees
    Image.fromarray(pixels).save(tmp_path / 'turned.png', exif=exif)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / 'turned.png')), np.rot90(pixels, -1))


# views


def test_without_views_it_is_the_plain_centre_crop(shared_imagenet):
    data = ImageFolder(shared_imagenet / 'val')
    source = Image.open(data.index.path(0))
    width = round(256 * source.width / source.height)
    expected = source.resize((width, 256), Image.Resampling.BILINEAR)
    left = round((width - 224) / 2)
    expected = np.asarray(expected.crop((left, 16, left + 224, 240)))
    view = data[0]['images'][0]
    assert (view.dtype, view.shape) == (torch.uint8, (3, 224, 224))
    np.testing.assert_array_equal(view.permute(1, 2, 0), expected)


def test_an_image_is_decoded_once_for_all_views(shared_imagenet, monkeypatch):
    paths = []
    monkeypatch.setattr(images_module, 'read_image', lambda path: paths.append(path) or read_image(path))
    data = ImageFolder(shared_imagenet / 'val', views=[RANDOM, RANDOM, PLAIN])
    sample = data[3]
    assert paths == [data.index.path(3)]
    assert data.num_views == len(sample['images']) == 3
    assert not torch.equal(sample['images'][0], sample['images'][1])


def test_a_sample_depends_on_seed_epoch_and_index_alone(shared_imagenet):
    data = ImageNet(root=shared_imagenet, views=[RANDOM, RANDOM], seed=3)
    assert same(data[(5, 2)], data[(5, 2)])
    assert same(data[5], data[(5, 0)])
    assert not same(data[(5, 2)], data[(5, 1)])
    assert not same(data[(5, 2)], ImageNet(root=shared_imagenet, views=[RANDOM, RANDOM], seed=4)[(5, 2)])


def test_workers_and_batches_change_nothing(shared_imagenet):
    data = ImageNet('val', root=shared_imagenet, views=[RANDOM, RANDOM], seed=3)
    here, elsewhere = load(data, 0, 5), load(data, 2, 3)
    assert sorted(here) == sorted(elsewhere) == list(range(16))
    assert all(same(here[index], elsewhere[index]) for index in here)


def test_loading_does_not_touch_the_global_generators(shared_imagenet):
    data = ImageNet('val', root=shared_imagenet, views=[RANDOM])
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    expected = torch.rand(1).item(), np.random.rand(), random.random()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    data[(2, 7)]
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected


@pytest.mark.parametrize('views', [RANDOM, ARRAYS])
def test_it_pickles(shared_imagenet, views):
    data = ImageNet('val', root=shared_imagenet, views=[views])
    assert same(pickle.loads(pickle.dumps(data))[(3, 1)], data[(3, 1)])


def test_blur_has_the_stated_frequency_and_width(tmp_path):
    point = np.zeros((41, 41), dtype=np.uint8)
    point[20, 20] = 255
    for name in 'ab':
        (tmp_path / name).mkdir()
        Image.fromarray(point).save(tmp_path / name / 'point.png')
    data = ImageFolder(tmp_path, views=[dict(type='GaussianBlur', p=0.3, sigma=(1.0, 1.0))])
    views = torch.stack([data[(0, epoch)]['images'][0][0] for epoch in range(1000)]).double()
    blurred = views[:, 20, 20] < 255
    assert abs(blurred.double().mean() - 0.3) < 0.06
    # a Gaussian of width 1 keeps 1 / (2 pi) of the point in its middle
    assert views[blurred, 20, 20].mean() / 255 == pytest.approx(1 / (2 * np.pi), rel=0.15)


@pytest.mark.parametrize(
    ('views', 'message'),
    [
        ([], 'ImageFolder: views must be a list'),
        ([[dict(type='torchvision/Resized', size=3)]], "no transform is called .*did you mean 'torchvision/Resize'"),
        ([dict(type='torchvision/Resize', sise=3)], "Resize does not take 'sise'.*'size'"),
        ([dict(type='torchvision/CenterCrop')], "needs 'size'"),
        ([dict(type='torchvision/Resize', size=3, interpolation='cubic')], "no interpolation.*'bicubic'"),
        ([dict(type='torchvision/RandomGrayscale', p=7)], 'torchvision/RandomGrayscale: .*p'),
        ([dict(type='torchvision/ColorJitter', brightness=-1)], 'torchvision/ColorJitter: .*non negative'),
        ([dict(type='GaussianBlur', p=2)], 'p 2 must lie between 0 and 1'),
        ([dict(type='GaussianBlur', sigma=(2, 1))], 'lowest <= highest'),
        ([dict(type='DigitsAugment')], 'one image at a time; DigitsAugment is not one'),
        ([[dict(type='PhotoFlip')], RANDOM], 'photos as arrays; torchvision/RandomResizedCrop is not one'),
        ([[dict(type='torchvision/Resize', size=9), dict(type='PhotoFlip')]], 'at a time; PhotoFlip is not one'),
        (['GaussianBlur'], "a view is a transform config or a list of them, not 'GaussianBlur'"),
    ],
)
def test_a_wrong_view_is_refused_at_once(shared_imagenet, views, message):
    with pytest.raises(ConfigError, match=message):
        ImageFolder(shared_imagenet / 'val', views=views)


def test_a_view_that_does_not_fit_the_images_is_told_in_a_sentence(shared_imagenet):
    data = ImageFolder(shared_imagenet / 'train', views=[[dict(type='torchvision/CenterCrop', size=-3)]])
    with pytest.raises(ConfigError, match=r'^view 0 of ImageFolder cannot be made of \d+ x \d+ px \(.*\): change its'):
        data[0]


def test_a_view_that_is_not_uint8_is_refused(shared_imagenet):
    views = [[dict(type='torchvision/ToImage'), dict(type='torchvision/ToDtype', dtype=torch.float32, scale=True)]]
    with pytest.raises(ConfigError, match=r'uint8 tensor .* not torch\.float32'):
        ImageFolder(shared_imagenet / 'val', views=views)[0]


# views of arrays


def test_arrays_make_whole_batches_of_what_each_sample_is(shared_imagenet):
    data = ImageNet(root=shared_imagenet, views=[ARRAYS, dict(type='PhotoCrop', size=16), ARRAYS], labeled=True, seed=3)
    wanted = [(index, 2) for index in range(19, 0, -1)]  # more than are held at a time
    batch = data.__getitems__(wanted)
    assert [view.shape for view in batch['images']] == [(19, 3, 32, 32), (19, 3, 16, 16), (19, 3, 32, 32)]
    assert batch['images'][0].dtype == torch.uint8
    assert batch['images'][0].is_contiguous()
    assert not torch.equal(batch['images'][0], batch['images'][2])
    assert batch['indices'].tolist() == list(range(19, 0, -1))
    for place, key in enumerate(wanted):
        sample = data[key]
        assert same(sample, dict(images=[view[place] for view in batch['images']], labels=batch['labels'][place]))
        assert torch.equal(sample['keys'], batch['keys'][place])
        assert sample['indices'] == key[0]
        assert sample['labels'] == data.index.labels[key[0]]
    assert not same(data[(5, 2)], data[(5, 1)])
    with pytest.raises(IndexError, match='index 48 is not among the 48'):
        data.__getitems__([0, 48])


@pytest.mark.parametrize('views', [[RANDOM, RANDOM], [ARRAYS, ARRAYS]])
def test_keys_are_the_counters_of_each_view(shared_imagenet, views):
    data = ImageNet(root=shared_imagenet, views=views, seed=3)
    batch = whole_batch(data.__getitems__([(4, 1), (7, 2)]))
    expected = [[int(hash_counters(3, epoch, index, view)[0]) for view in (0, 1)] for index, epoch in ((4, 1), (7, 2))]
    assert (batch['keys'].numpy().view(np.uint64) == np.array(expected, dtype=np.uint64)).all()
    assert set(batch) == set(data[0]) == {'images', 'labels', 'indices', 'keys'}


def test_the_plain_picture_of_arrays_is_that_of_pillow(shared_imagenet):
    plain = [dict(type='PhotoResize', size=256), dict(type='PhotoCenterCrop', size=224)]
    arrays, reference = (ImageFolder(shared_imagenet / 'val', views=views) for views in ([plain], None))
    for index in range(3):
        first, second = (data[index]['images'][0].int() for data in (arrays, reference))
        assert (first - second).abs().max() <= 2


def test_a_photo_is_decoded_once_for_all_views_of_arrays(shared_imagenet, monkeypatch):
    paths = []
    monkeypatch.setattr(images_module, 'read_array', lambda path: paths.append(path) or read_array(path))
    data = ImageFolder(shared_imagenet / 'val', views=[ARRAYS, ARRAYS])
    data.__getitems__([3, 1, 2])
    assert paths == [data.index.path(index) for index in (3, 1, 2)]


def test_a_bank_takes_either_kind_of_views(shared_imagenet):
    for views in ([[]], [ARRAYS]):
        part = dict(type='ImageFolder', folder=str(shared_imagenet / 'val'), views=views)
        both = DATASETS.build(dict(type='BankAndQuery', bank=part, query=part))
        batch = both.__getitems__([(17, 0), (18, 0)])
        assert batch['banks'].tolist() == [False, False]
        assert torch.equal(batch['images'][0][1], both[18]['images'][0])


def test_views_of_arrays_that_differ_in_size_are_refused(tmp_path):
    (tmp_path / 'a').mkdir()
    for number, size in enumerate([(40, 30), (40, 31)]):
        Image.new('RGB', size).save(tmp_path / f'a/{number}.png')
    data = ImageFolder(tmp_path, views=[[dict(type='PhotoFlip')]])
    assert data[1]['images'][0].shape == (3, 31, 40)
    with pytest.raises(ConfigError, match=r'view 0 of ImageFolder .* one size, .*\(31, 40, 3\) beside \(30, 40, 3\)'):
        data.__getitems__([0, 1])


# layouts


def test_the_first_usual_root_is_taken(tmp_path, monkeypatch, shared_imagenet):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        ImageNet()
    for part in (
        'data/imagenet, data/IMAGENET, data/Imagenet',
        'train/CLASS/',
        'meta/train.txt',
        '--cfg-options',
        '.root=',
    ):
        assert part in str(caught.value)
    (tmp_path / 'data').mkdir()
    os.symlink(shared_imagenet, tmp_path / 'data/Imagenet')
    assert ImageNet(views=[PLAIN]).root == Path('data/Imagenet')
    make_imagenet_folder(tmp_path / 'data/imagenet', train=2, val=2, classes=2)
    assert ImageNet(views=[PLAIN]).root == Path('data/imagenet')


def test_a_root_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r'no folder .*/nowhere'):
        ImageNet(root=tmp_path / 'nowhere')


def test_folder_and_lists_hold_the_same_images_and_labels(shared_imagenet):
    folder = ImageNet(root=shared_imagenet, source='folder', views=[PLAIN])
    listed = ImageNet(root=shared_imagenet, source='list', labeled=True, views=[PLAIN])
    assert len(folder) == len(listed) == 48
    by_path = [{data.index.path(i): data[i] for i in range(48)} for data in (folder, listed)]
    assert by_path[0].keys() == by_path[1].keys()
    assert all(same(by_path[0][path], by_path[1][path]) for path in by_path[0])
    assert set(folder.index.labels) == {0, 1, 2, 3}


def test_labels_are_minus_one_where_burns_list_has_none(shared_imagenet):
    data = ImageNet(root=shared_imagenet, views=[PLAIN])
    assert data[0]['labels'] == -1
    assert set(data.index.labels) == {-1}


def test_where_labels_are_needed_a_list_without_them_is_passed_over(imagenet):
    (imagenet / 'meta/train_labeled.txt').unlink()
    assert set(ImageNet(root=imagenet, labeled=True, views=[PLAIN]).index.labels) == {0, 1, 2}
    shutil.rmtree(imagenet / 'val')
    (imagenet / 'meta/val_labeled.txt').unlink()
    with pytest.raises(DataError, match=r'ImageNet val with labels is not in .*meta/val\.txt.*val_labeled\.txt, val;'):
        ImageNet('val', root=imagenet, labeled=True)
    with pytest.raises(DataError, match=r'is not in .*meta/train\.txt, meta/train_labeled\.txt; expected'):
        ImageNet('train', root=imagenet, source='list', labeled=True)


def test_flat_folders_work_with_lists(tmp_path, shared_imagenet):
    """Validation images as ImageNet's archive has them, without class folders."""
    (tmp_path / 'val').mkdir()
    (tmp_path / 'meta').mkdir()
    lines = []
    for label, path in enumerate(sorted((shared_imagenet / 'val').rglob('*.JPEG'))[:3]):
        shutil.copy(path, tmp_path / 'val' / f'ILSVRC2012_val_{label:08d}.JPEG')
        lines.append(f'ILSVRC2012_val_{label:08d}.JPEG {label}')
    (tmp_path / 'meta/val.txt').write_text('\n'.join(lines))
    data = ImageNet('val', root=tmp_path, labeled=True, views=[PLAIN])
    assert [data[index]['labels'] for index in range(3)] == [0, 1, 2]


def test_a_list_with_a_missing_image_stops_at_the_door(imagenet):
    victim = sorted((imagenet / 'train').rglob('*.JPEG'))[5]
    victim.unlink()
    with pytest.raises(DataError, match=rf"1 of 12 images .*line \d+: '{victim.parent.name}/{victim.name}'"):
        ImageNet(root=imagenet)


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        (dict(split='test'), "no split 'test'; known"),
        (dict(source='tar'), "no source 'tar'"),
        (dict(most_bad_fraction=2), 'most_bad_fraction 2 is a fraction'),
        (dict(num_classes=3, labeled=True), 'label 3 of .* must lie between 0 and 2'),
        (dict(num_classes=3, source='folder'), 'more than num_classes=3'),
    ],
)
def test_wrong_settings_are_refused(shared_imagenet, setting, message):
    with pytest.raises(ConfigError, match=message):
        ImageNet(**{'root': shared_imagenet, **setting})


@pytest.mark.parametrize('split', ['train', 'val'])
def test_class_folders_that_differ_give_no_labels(imagenet, split):
    (imagenet / 'val/n01441764').rename(imagenet / 'val/n99999999')  # the later labels of val would shift
    with pytest.raises(DataError, match=r"different class folders \(3 and 3\).*/train' has 'n01441764'"):
        ImageNet(split, root=imagenet, source='folder', labeled=True)
    assert len(ImageNet('train', root=imagenet, source='folder')) == 12  # without labels nothing is wrong


def test_image_list_reads_a_list_of_any_name(shared_imagenet):
    config = dict(type='ImageList', list_file=str(shared_imagenet / 'meta/val_labeled.txt'), views=[PLAIN])
    data = DATASETS.build(dict(config, folder=str(shared_imagenet / 'val')))
    assert len(data) == 16
    assert data[5]['labels'] == 1
    with pytest.raises(IndexError, match='index 16 is not among the 16'):
        data[16]
    with pytest.raises(ConfigError, match="needs 'folder'"):
        DATASETS.build(config)
    assert isinstance(data, ImageList)


# bad images


@pytest.fixture
def log(monkeypatch) -> list[str]:
    lines: list[str] = []

    def note(message: str, logger: object = None, level: int = logging.INFO) -> None:
        lines.append(f'{logging.getLevelName(level)} {message}')

    monkeypatch.setattr(images_module, 'print_log', note)
    return lines


def test_a_truncated_image_is_named_replaced_and_counted(imagenet, log):
    data = ImageNet(root=imagenet, source='folder', views=[PLAIN], seed=1)
    whole = [data[index] for index in range(12)]
    truncate(data.index.path(4))
    sample = data[(4, 0)]
    assert len(log) == 1
    assert log[0].startswith(f'WARNING bad image {data.index.path(4)!r}')
    assert '1 of 12' in log[0]
    assert sample['indices'] == 4
    assert any(same(sample, other) for place, other in enumerate(whole) if place != 4)
    assert data.bad.nonzero().flatten().tolist() == [4]
    # again: the same replacement, and no second line; in another epoch another one
    assert same(data[(4, 0)], sample)
    epochs = {data[(4, epoch)]['images'][0].numpy().tobytes() for epoch in range(20)}
    assert len(epochs) > 3
    assert len(log) == 1


def test_who_loads_changes_no_replacement_and_a_worker_marks_the_bad_image_for_all(imagenet):
    data = ImageNet(root=imagenet, source='folder', views=[ARRAYS, ARRAYS], seed=1)
    truncate(data.index.path(4))
    elsewhere = load(data, 2, 5)
    assert data.bad.nonzero().flatten().tolist() == [4]
    here = load(data, 0, 3)
    assert all(same(here[index], elsewhere[index]) for index in range(12))
    assert data.bad.nonzero().flatten().tolist() == [4]


@pytest.mark.parametrize('content', [b'', b'not an image', b'\xff\xd8\xff\xe0 torn'])
def test_whatever_is_no_image_is_bad(imagenet, log, content):
    data = ImageNet(root=imagenet, source='folder', views=[PLAIN])
    Path(data.index.path(2)).write_bytes(content)
    data[2]
    assert data.index.path(2) in log[0]


def test_an_image_that_vanished_is_bad(imagenet, log):
    data = ImageNet(root=imagenet, source='folder', views=[PLAIN])
    os.unlink(data.index.path(2))
    data[2]
    assert 'No such file' in log[0]


def test_where_none_is_replaced_a_bad_image_is_an_error(imagenet, log):
    bank = dict(type='ImageFolder', folder=str(imagenet / 'train'), views=[PLAIN])
    query = dict(type='SomeOfEachClass', dataset=dict(bank, views=[ARRAYS]), per_class=9)
    data = DATASETS.build(dict(type='BankAndQuery', bank=bank, query=query))
    path = data.bank.index.path(4)
    truncate(path)
    data[4]
    data.refuse_bad()
    for index in (4, len(data.bank) + 4):
        with pytest.raises(DataError, match='cannot be decoded') as told:
            data[index]
        assert repr(path) in str(told.value)
    assert len(log) == 1


def test_one_per_cent_of_bad_images_pass_and_more_stop_the_run(tmp_path, log):
    root = make_imagenet_folder(tmp_path, train=300, val=0, classes=2, size=(8, 8), lists=False)
    data = ImageNet(root=root, views=[PLAIN])
    for index in (7, 100, 200, 299):
        truncate(data.index.path(index), 0.3)
    for index in (7, 100, 200):
        data[index]
    with pytest.raises(DataError) as caught:
        data[299]
    message = str(caught.value)
    assert '4 of 300 images cannot be decoded, more than 1.0%' in message
    assert all(data.index.path(index) in message for index in (7, 100, 200))
    assert 'most_bad_fraction' in message
    assert log[-1] == f'ERROR {message}'


def test_the_error_of_a_worker_reaches_the_training_process_as_what_it_is(imagenet):
    data = ImageNet(root=imagenet, source='folder', views=[PLAIN])
    for index in (0, 1):
        truncate(data.index.path(index))
    data[0]
    try:
        data[1]
    except DataError:
        sent = pickle.dumps(ExceptionWrapper(where='in DataLoader worker process 0'))
    with pytest.raises(DataError) as caught:
        pickle.loads(sent).reraise()
    assert str(caught.value).startswith('2 of 12 images cannot be decoded')
    assert 'Traceback' not in str(caught.value)


def test_a_set_without_any_readable_image_ends(imagenet, log):
    data = ImageNet(root=imagenet, source='folder', views=[PLAIN], most_bad_fraction=1.0)
    for index in range(12):
        truncate(data.index.path(index), 0.1)
    with pytest.raises(DataError, match='no readable image'):
        data[0]


# configs


@pytest.mark.parametrize(
    ('name', 'views'), [('imagenet_two_views_burn', 2), ('imagenet_two_views_moco', 2), ('imagenet_linear', 1)]
)
def test_configs_build_on_a_made_up_imagenet(shared_imagenet, name, views):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for key in {'train_dataloader', 'val_dataloader'} & set(config):
        loader = config[key]
        loader.dataset.root = str(shared_imagenet)
        loader.update(num_workers=0, persistent_workers=False, pin_memory=False, batch_size=4)
        batch = next(iter(Runner.build_dataloader(loader, seed=0)))
        assert [view.shape for view in batch['images']] == [(4, 3, 224, 224)] * views
        assert batch['images'][0].dtype == torch.uint8
        if name == 'imagenet_linear':
            assert batch['labels'].min() >= 0
