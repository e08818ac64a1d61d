"""Detection from a weights file to its average precision, by the commands users type, on a made-up VOC of 8 images."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from made_up_voc_boxes import make_devkit, write_annotation
from warm_python import PYTHON

from binssl.checkpoints import extract_weights, load_model, read_checkpoint
from binssl.datasets import VOCDetection
from binssl.engine.testing import parse_testing
from binssl.engine.testing import test as run_test
from binssl.engine.training import parse_training, train, training_config
from binssl.engine.weights import write_initial_weights
from binssl.registry import ConfigError

ROOT = Path(__file__).parents[2]
TRUNK = f"""
_base_ = ['{ROOT}/configs/selfsup/burn/stage2_digits.py']
model = dict(backbone=dict(channels=[16, 16, 32, 32, 64, 64], strides=[2, 1, 2, 1, 2], stem_stride=2,
                           input_size=96),
             neck=dict(in_channels=64))
"""
SETS = "[['VOC2007', 'trainval']]"
SMALL = f"""
_base_ = ['{ROOT}/configs/benchmarks/detection/voc0712_fpn.py']
model = dict(norms='frozen', head=dict(strides=[4, 8, 16], channels=32, min_sizes=[96], max_size=128,
                                       boxes_per_image=32))
train_dataloader = dict(batch_size=2, num_workers=0, dataset=dict(root='{{root}}', sets={SETS}))
val_dataloader = dict(num_workers=0, dataset=dict(root='{{root}}', sets={SETS}))
test_dataloader = val_dataloader
global_batch_size = 2
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=2e-3))
schedules = dict(lr=dict(_delete_=True, target='lr', curve='cosine', end=0.0))
train_cfg = dict(max_epochs=80, val_begin=80)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=80))
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With VOCdevkit, small.py and weights.pth, a label-free method's file with backbone, neck and normalisation."""
    folder = tmp_path_factory.mktemp('detection')
    make_devkit(folder / 'VOCdevkit', {('VOC2007', 'trainval'): 8})
    (folder / 'small.py').write_text(SMALL.format(root=folder / 'VOCdevkit'))
    (folder / 'trunk.py').write_text(TRUNK)
    write_initial_weights(folder / 'trunk.py', folder / 'weights.pth')
    return folder


@pytest.fixture(scope='module')
def trained(folder: Path) -> Path:
    """The checkpoint of a run that learns the images by heart."""
    train(command(folder, '--work-dir', str(folder / 'run')))
    return folder / 'run' / 'latest.pth'


def command(folder: Path, *flags: str) -> argparse.Namespace:
    return parse_training([str(folder / 'small.py'), '--pretrained', str(folder / 'weights.pth'), *flags])


def test_the_file_says_which_backbone_and_its_neck_stays_behind(folder):
    cfg = training_config(command(folder))
    assert cfg.model.backbone.channels == [16, 16, 32, 32, 64, 64]
    assert cfg.model.data_preprocessor.type == 'ImageNormalizer'
    assert cfg.model.get('neck') is None


def test_what_is_wrong_is_told_before_any_training(folder, tmp_path):
    with pytest.raises(ConfigError, match=r'maps at strides 2, 4, 8, 16, and model\.head\.strides asks for 4, 32'):
        train(
            command(folder, '--work-dir', str(tmp_path), '--check', '1', '--cfg-options', 'model.head.strides=[4,32]')
        )
    make_devkit(tmp_path / 'broken', {('VOC2007', 'trainval'): 2})
    file = tmp_path / 'broken' / 'VOC2007' / 'Annotations' / 'trainval_000001.xml'
    write_annotation(file, (96, 96), [('dog', (90, 90, 200, 95), 0)])
    with pytest.raises(ConfigError, match=r'trainval_000001\.xml.*lies outside the image'):
        train(
            command(
                folder,
                '--work-dir',
                str(tmp_path),
                '--check',
                '1',
                '--cfg-options',
                f'train_dataloader.dataset.root={tmp_path}/broken',
            )
        )
    with pytest.raises(ConfigError, match='have 20 classes, the head 3'):
        train(command(folder, '--work-dir', str(tmp_path), '--check', '1', '--cfg-options', 'model.head.num_classes=3'))


def measure(folder: Path, checkpoint: Path, *flags: str) -> dict[str, float]:
    out = folder / 'one.json'
    run_test(
        parse_testing(
            [str(folder / 'small.py'), str(checkpoint), '--work-dir', str(folder / 'test'), '--out', str(out), *flags]
        )
    )
    return json.loads(out.read_text())['metrics']


@pytest.mark.slow
def test_eight_images_are_learnt_by_heart(folder, trained):
    metrics = measure(folder, trained)
    assert metrics['AP50'] > 90
    by_coco = measure(folder, trained, '--cfg-options', 'test_evaluator.0.rule=coco')
    assert by_coco['AP50'] == pytest.approx(metrics['AP50'], abs=10)


@pytest.mark.slow
def test_a_checkpoint_is_a_detector_and_its_trunk_can_be_taken_out(folder, trained):
    detector = load_model(trained)
    data = VOCDetection([['VOC2007', 'trainval']], folder / 'VOCdevkit')
    batch = detector.data_preprocessor(data.__getitems__([0, 1]))
    found = detector(batch['images'])
    for answer, labels in zip(found, batch['labels'], strict=True):
        assert answer['labels'][answer['scores'] > 0.5].unique().tolist() == labels.unique().tolist()
    before = load_model(folder / 'weights.pth').backbone.state_dict()
    after = read_checkpoint(trained)['state_dict']
    assert any(not torch.equal(after[f'backbone.{key}'], value) for key, value in before.items())  # all of it learns
    extract_weights(trained, folder / 'trunk.pth')
    assert load_model(folder / 'trunk.pth').extract(torch.zeros(1, 3, 64, 64)).shape == (1, 64)


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_run_that_was_not_stopped(folder):
    """Scales, mirrored images, and the anchors and proposals that it learns from are drawn at random."""
    flags = [
        '--cfg-options',
        'train_cfg.max_epochs=2',
        'default_hooks.checkpoint.interval=1',
        'model.head.min_sizes=[64,96,128]',
        '--work-dir',
    ]
    train(command(folder, *flags, str(folder / 'whole')))
    shutil.copytree(folder / 'whole', folder / 'stopped')
    (folder / 'stopped' / 'epoch_2.pth').unlink()
    (folder / 'stopped' / 'last_checkpoint').write_text('epoch_1.pth')
    train(command(folder, *flags, str(folder / 'stopped'), '--resume', 'auto'))
    whole, stopped = (read_checkpoint(folder / run / 'epoch_2.pth') for run in ('whole', 'stopped'))
    assert all(torch.equal(value, stopped['state_dict'][name]) for name, value in whole['state_dict'].items())


@pytest.mark.slow
@pytest.mark.process
def test_two_processes_give_the_number_of_one(folder, trained):
    out = folder / 'two.json'
    done = subprocess.run(
        [
            'bash',
            'tools/dist_test.sh',
            str(folder / 'small.py'),
            str(trained),
            '2',
            '--work-dir',
            str(folder / 'two'),
            '--out',
            str(out),
        ],
        cwd=ROOT,
        env={**os.environ, 'PYTHON': PYTHON, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text())['metrics'] == measure(folder, trained)
