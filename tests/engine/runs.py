"""Small runs on the digits: a network of three layers, an epoch of a few batches, every part real."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch
from contracts.small import BURN, CLASSIFIER, MOCO, changed, write_teacher
from mmengine.config import Config
from mmengine.hooks import Hook

from binssl.engine import Runner

NAMES = itertools.count()
AUGMENT = dict(type='DigitsAugment', degrees=20.0, translate=0.2)
VALIDATION = dict(
    val_dataloader=dict(
        batch_size=256,
        num_workers=0,
        sampler=dict(type='EpochSampler', shuffle=False),
        collate_fn=dict(type='whole_batch'),
        dataset=dict(
            type='BankAndQuery', bank=dict(type='Digits', split='fit'), query=dict(type='Digits', split='held_out')
        ),
    ),
    val_cfg=dict(),
    val_evaluator=[dict(type='KNNAccuracy')],
)


def config(folder: Path, model: dict, views: int = 2, epochs: int = 2, batch: int = 256, **more: Any) -> Config:
    """A config of ``model`` on the digits (1,149 images: 4 batches of 256); ``optim_wrapper__x=y`` changes one key."""
    if model.get('teacher', {}).get('type') == 'FrozenTeacher' and 'checkpoint' not in model['teacher']:
        teacher = folder / 'teacher.pth'
        if not teacher.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with torch.random.fork_rng(devices=[]):  # the same teacher in every folder
                torch.manual_seed(0)
                write_teacher(teacher)
        model = changed(model, teacher__checkpoint=str(teacher))
    whole = dict(
        model=model,
        work_dir=str(folder / 'run'),
        train_dataloader=dict(
            batch_size=batch,
            num_workers=0,
            drop_last=True,
            sampler=dict(type='EpochSampler'),
            collate_fn=dict(type='whole_batch'),
            dataset=dict(type='Digits', split='fit', views=[AUGMENT] * views),
        ),
        train_cfg=dict(type='EpochLoop', max_epochs=epochs),
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4),
            paramwise_cfg=dict(decay='weights'),
        ),
        default_hooks=dict(progress=dict(type='ProgressHook', interval=2)),
        schedules=dict(lr=dict(target='lr', end=0.0)),
    )
    sections = {key: value for key, value in more.items() if '__' not in key}
    inner = {key: value for key, value in more.items() if '__' in key}
    return Config(changed({**whole, **sections}, **inner))


def burn(folder: Path, **more: Any) -> Config:
    """BURN with its annealed balance."""
    schedules = dict(lr=dict(target='lr', end=0.0), kl=dict(target='head.kl_weight', start=0.1, end=0.3))
    return config(folder, BURN, **{'schedules': schedules, **more})


def moco(folder: Path, **more: Any) -> Config:
    """MoCo with its annealed momentum; four batches a step's worth of keys fill the queue."""
    schedules = dict(lr=dict(target='lr', end=0.0), m=dict(target='teacher.momentum', start=0.9, end=1.0))
    return config(folder, changed(MOCO, queue_length=512), **{'schedules': schedules, **more})


def classifier(folder: Path, **more: Any) -> Config:
    """The supervised network: one view."""
    return config(folder, CLASSIFIER, **{'views': 1, **more})


class Watch(Hook):
    """Keeps what every iteration gave, and calls ``act(runner)`` after each."""

    priority = 'LOWEST'

    def __init__(self, act: Any = None) -> None:
        self.act, self.losses, self.iterations = act, [], []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.losses.append(outputs['loss'].item())
        self.iterations.append(runner.iter)
        if self.act is not None:
            self.act(runner)


class Killed(Exception):
    """The run ends here, without a goodbye."""


def build(cfg: Config, *hooks: Hook) -> Runner:
    """The runner of ``cfg``; mmengine keeps loggers by name, so each gets its own."""
    cfg.experiment_name = f'test_{next(NAMES)}'
    torch.manual_seed(next(NAMES))  # nothing may depend on what the process did before
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    return runner


def run(cfg: Config, *hooks: Hook) -> Runner:
    """Train ``cfg`` to its end."""
    runner = build(cfg, *hooks)
    runner.train()
    return runner


def run_until(cfg: Config, iterations: int) -> None:
    """Train ``cfg`` and stop without warning when so many iterations are done, checkpoint included."""

    def stop(runner: Runner) -> None:
        if runner.iter + 1 == iterations:
            raise Killed

    try:
        run(cfg, Watch(stop))
    except Killed:
        return
    raise AssertionError(f'the run ended before iteration {iterations}')


def log_of(runner: Runner) -> str:
    """Everything that the run's log file holds."""
    return ''.join(file.read_text() for file in Path(runner.work_dir).glob('*/*.log'))


def everything(runner: Runner) -> dict[str, torch.Tensor]:
    """Every tensor that training leaves behind: weights, buffers, the optimiser's state."""
    tensors = dict(runner.model.state_dict())
    for index, state in runner.optim_wrapper.state_dict()['state'].items():
        tensors.update({f'optimizer.{index}.{name}': torch.as_tensor(value) for name, value in state.items()})
    return tensors


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert first.keys() == second.keys()
    differing = [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]
    assert not differing
