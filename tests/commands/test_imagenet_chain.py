"""BURN's stage 2 on a made-up ImageNet of 64 JPEGs with a made-up published teacher, by the commands users type."""

import os
import subprocess
from pathlib import Path

import pytest
import torch
import torchvision
from imagenet_folder import make_imagenet_folder
from methods.mixed import REACTNET_A
from warm_python import PYTHON

ROOT = Path(__file__).parents[2]


def run(*command: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's root, in this interpreter's environment."""
    env = {**os.environ, 'PYTHON': PYTHON, 'OMP_NUM_THREADS': '1', **(environment or {})}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)


def published_teacher(path: Path) -> None:
    """A file as moco_v2_800ep_pretrain.pth.tar is, with random weights."""
    network = torchvision.models.resnet50(num_classes=128)
    network.fc = torch.nn.Sequential(torch.nn.Linear(2048, 2048), torch.nn.ReLU(), network.fc)
    weights = {f'module.encoder_q.{key}': value for key, value in network.state_dict().items()}
    torch.save({'epoch': 800, 'arch': 'resnet50', 'state_dict': weights}, path)


@pytest.mark.process
def test_missing_inputs_are_told_at_once_without_a_traceback() -> None:
    done = run('bash', 'tools/dist_train.sh', 'configs/selfsup/burn/stage2.py', '64')
    assert done.returncode != 0
    assert 'Traceback' not in done.stderr
    for words in (
        'moco_v2_800ep_pretrain.pth.tar',
        'stage1/weights.pth',
        'extract_weights_for_multi.py',
        'single_stage.py',
        '64 GPUs were asked for',
        'data/imagenet',
    ):
        assert words in done.stderr


@pytest.mark.process
@pytest.mark.slow
def test_stage_2_trains_resumes_and_is_evaluated_in_two_processes(tmp_path: Path) -> None:
    make_imagenet_folder(tmp_path / 'imagenet')
    published_teacher(tmp_path / 'moco.pth.tar')
    eighth = [width // 8 for width in REACTNET_A]  # of the published widths: a checkpoint of 40 MB instead of 550
    options = [
        f'model.backbone.channels={eighth}'.replace(' ', ''),
        f'model.neck.in_channels={eighth[-1]}',
        f'model.teacher.checkpoint={tmp_path}/moco.pth.tar',
        f'train_dataloader.dataset.root={tmp_path}/imagenet',
        'train_dataloader.batch_size=4',
        'train_dataloader.num_workers=1',
        'train_dataloader.dataset.views.0.0.size=32',
        'train_dataloader.dataset.views.1.0.size=32',
        'global_batch_size=16',  # 2 processes x 4 x 2
        'load_from=none',
        'train_cfg.max_epochs=1',
        'default_hooks.checkpoint.interval_iters=4',
    ]
    train = ['bash', 'tools/dist_train.sh', 'configs/selfsup/burn/stage2.py', '2', '--work-dir', str(tmp_path / 'run')]
    first = run(*train, '--cfg-options', *options)
    assert first.returncode == 0, first.stderr
    assert '1 epochs of 6 iterations, 2 batch(es) a step' in first.stdout
    assert (tmp_path / 'run' / 'latest.pth').resolve().name == 'epoch_1.pth'

    (tmp_path / 'run' / 'last_checkpoint').write_text('iter_4.pth\n')  # as if it had been killed in mid-epoch
    again = run(*train, '--resume', 'auto', '--cfg-options', *options)
    assert again.returncode == 0, again.stderr
    assert '0 epochs, 4 iterations done' in again.stdout

    weights = str(tmp_path / 'weights.pth')
    extracted = run(PYTHON, 'tools/extract_weights.py', str(tmp_path / 'run' / 'latest.pth'), weights)
    assert extracted.returncode == 0, extracted.stderr
    data = [f'{name}_dataloader.dataset.root={tmp_path}/imagenet' for name in ('train', 'val')]
    small = [
        'train_dataloader.batch_size=4',
        'global_batch_size=8',
        'train_cfg.max_epochs=1',
        'train_dataloader.num_workers=0',
        'val_dataloader.num_workers=0',
    ]
    config = 'configs/benchmarks/linear_classification/imagenet/burn.py'
    linear = run(
        'bash',
        'benchmarks/dist_train_linear.sh',
        config,
        weights,
        '--work-dir',
        str(tmp_path / 'linear'),
        '--cfg-options',
        *data,
        *small,
        environment={'GPUS': '2'},
    )
    assert linear.returncode == 0, linear.stderr
    assert 'validation after epoch 1: top1' in linear.stdout
