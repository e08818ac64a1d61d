"""ReCU's ResNet-20 by its own config, from a made-up CIFAR-10 archive in the published binary format."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

from made_up_cifar import write_cifar10
from methods.stopped import assert_a_stop_changes_nothing
from mmengine.config import Config

from binssl.engine import testing
from binssl.engine.config import load_config

CONFIG = Path(__file__).parents[2] / 'configs/supervised/recu/cifar10_resnet20.py'


def test_archive_is_trained_on_resumed_bit_for_bit_and_tested(tmp_path: Path) -> None:
    write_cifar10(tmp_path / 'cifar10', images=60, test_images=30, archive=True)
    roots = {f'{split}_dataloader.dataset.root': str(tmp_path / 'cifar10') for split in ('train', 'val', 'test')}
    short = {
        'train_dataloader.batch_size': 20,
        'global_batch_size': 20,
        'train_cfg.max_epochs': 2,
        'schedules.lr.begin_epoch': 1,
        'schedules.lr.warmup_epochs': 1,
    }
    cfg = load_config(CONFIG, {**roots, **short})

    def make(work_dir: str, resume: str | None, checkpoint: dict) -> Config:
        run = deepcopy(cfg)
        run.work_dir, run.resume = str(tmp_path / work_dir), resume
        run.default_hooks.checkpoint = dict(checkpoint, save_best='top1')
        return run

    trained = assert_a_stop_changes_nothing(make)
    validated = trained.val_loop.run()
    options = [f'{key}={value}' for key, value in roots.items()]
    files = [str(CONFIG), str(tmp_path / 'whole/latest.pth')]
    flags = ['--work-dir', str(tmp_path / 'test'), '--cfg-options', *options]
    testing.test(testing.parse_testing([*files, *flags]))
    tested = json.loads((tmp_path / 'test/results.json').read_text())['metrics']
    assert {key: tested[key] for key in ('top1', 'top5')} == {key: validated[key] for key in ('top1', 'top5')}
