"""Two processes with half a batch each against one with the whole of it: BatchNorm, then whole training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from contracts.small import write_teacher
from engine.runs import VALIDATION, Watch, build, classifier
from mmengine.config import Config
from torch import nn
from two_processes import in_two_processes

from binssl.engine import ProcessBatchNorm, Runner, batch_norm, load_config, synchronise_batch_norm
from binssl.registry import ConfigError

ROOT = Path(__file__).parents[2]
NORMS = dict(
    flat=(nn.BatchNorm1d(5), (8, 5)),
    maps=(nn.BatchNorm2d(5, momentum=0.3), (8, 5, 4, 3)),
    average=(nn.BatchNorm2d(5, momentum=None, affine=False), (8, 5, 2, 2)),
)
DEVICE_PART = [dict(type='PhotoJitter', brightness=0.4, contrast=0.4, p=0.5), dict(type='PhotoBlur', p=0.5)]
HALVES = (slice(0, 3), slice(3, 8))  # of different sizes: the mean of means would be wrong


def whole_batches(shape: tuple[int, ...]) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=draw, dtype=torch.float64) * 3 + 7 for _ in range(3)]


def pass_batches(norm: nn.Module, batches: list[torch.Tensor], weights: list[torch.Tensor]) -> dict[str, list]:
    """Three steps in training, one in eval: outputs, gradients, running statistics."""
    norm = norm.double()
    seen = dict(outputs=[], input_gradients=[], parameter_gradients=[])
    for batch, weight in zip(batches, weights, strict=True):
        norm.zero_grad()
        batch = batch.clone().requires_grad_()
        output = norm(batch)
        (output.square() * weight).sum().backward()
        seen['outputs'].append(output.detach())
        seen['input_gradients'].append(batch.grad)
        seen['parameter_gradients'].append([p.grad.clone() for p in norm.parameters()])
    return dict(seen, buffers=dict(norm.named_buffers()), evaluated=norm.eval()(batches[0]).detach())


def stage2(folder: Path, work_dir: Path, batch: int) -> Config:
    """The digits' stage 2 with its optimiser, on a smaller network: 5 epochs of 4 steps of 2 x 128 images."""
    small = dict(channels=[8, 8, 16], strides=[1, 2])
    cfg = load_config(ROOT / 'configs/selfsup/burn/stage2_digits.py')
    cfg.merge_from_dict(
        dict(
            load_from=None,
            work_dir=str(work_dir),
            experiment_name=work_dir.name,
            train_cfg=dict(max_epochs=5),
            train_dataloader=dict(batch_size=batch, dataset=dict(split='fit')),
            model=dict(
                backbone=small,
                neck=dict(in_channels=16, widths=[16]),
                head=dict(projector=dict(in_channels=16, widths=[20, 20])),
                target_head=dict(in_channels=16, widths=[20, 20]),
                train_target_head=True,
                teacher=dict(backbone=small, checkpoint=str(folder / 'teacher.pth')),
            ),
        )
    )
    cfg.model.data_preprocessor.views = [None, DEVICE_PART]  # drawn from keys that the batches bring
    return cfg


class Float64Runner(Runner):
    """The product's runner with a model in double precision."""

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        return super().build_model(model).double()


def train_and_record(cfg: Config) -> dict:
    runner = Float64Runner.from_cfg(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    model = getattr(runner.model, 'module', runner.model)
    return dict(
        losses=watch.losses,
        weights=model.state_dict(),
        counts=runner.accumulative_counts,
        steps=runner.optim_wrapper.state_dict()['state'][0]['step'],
    )


def norm_and_train(rank: int, folder: Path) -> dict[str, dict]:
    norms = {}
    for name, (norm, shape) in NORMS.items():
        synced = nn.Sequential(norm)
        assert synchronise_batch_norm(synced, True, on_gpu=False) == 1
        assert isinstance(synced[0], ProcessBatchNorm)
        half = [batch[HALVES[rank]] for batch in whole_batches(shape)]
        norms[name] = pass_batches(synced[0], half, [batch.sin() for batch in half])
    half = whole_batches((8, 5, 40, 40))[0][HALVES[rank]].bfloat16()
    norms['bf16'] = ProcessBatchNorm(5)(half).detach()
    return dict(norms=norms, run=train_and_record(stage2(folder, folder / 'two', batch=64)))


@pytest.fixture(scope='module')
def two(tmp_path_factory) -> tuple[Path, list[dict]]:
    """What both processes found."""
    folder = tmp_path_factory.mktemp('two_processes')
    write_teacher(folder / 'teacher.pth', stage2(folder, folder / 'two', 64).model.teacher.backbone.to_dict())
    return folder, in_two_processes(norm_and_train, folder, folder)


@pytest.mark.process
@pytest.mark.parametrize('name', NORMS)
def test_process_batch_norm_is_batch_norm_on_the_joined_batch(name, two):
    norm, shape = NORMS[name]
    batches = whole_batches(shape)
    expected = pass_batches(norm, batches, [batch.sin() for batch in batches])
    first, second = (found['norms'][name] for found in two[1])
    close = dict(rtol=1e-10, atol=1e-11)
    for kind in ('outputs', 'input_gradients'):
        for step in range(3):
            joined = torch.cat([first[kind][step], second[kind][step]])
            torch.testing.assert_close(joined, expected[kind][step], **close)
    for step in range(3):
        for ours, theirs, sums in zip(
            first['parameter_gradients'][step],
            second['parameter_gradients'][step],
            expected['parameter_gradients'][step],
            strict=True,
        ):
            torch.testing.assert_close(ours + theirs, sums, **close)
    for found in (first, second):
        torch.testing.assert_close(found['buffers'], expected['buffers'], **close)
    evaluated = torch.cat([first['evaluated'], second['evaluated']])
    torch.testing.assert_close(evaluated, expected['evaluated'], **close)


@pytest.mark.process
def test_process_batch_norm_counts_and_sums_half_precision_in_full(two):
    batch = whole_batches((8, 5, 40, 40))[0].bfloat16()
    expected = nn.BatchNorm2d(5)(batch.float())
    joined = torch.cat([found['norms']['bf16'] for found in two[1]])
    assert joined.dtype == torch.bfloat16
    torch.testing.assert_close(joined.float(), expected, rtol=1 / 128, atol=1e-3)


@pytest.mark.process
def test_two_processes_train_as_one_with_the_joined_batches(two):
    """Float64, every BatchNorm synchronised, accumulation 2, the config's optimiser, 20 steps."""
    folder, found = two
    one = train_and_record(stage2(folder, folder / 'one', batch=128))
    first, second = (answer['run'] for answer in found)
    assert one['counts'] == first['counts'] == 2
    assert one['steps'] == first['steps'] == 20
    assert len(one['losses']) == 40
    means = [(ours + theirs) / 2 for ours, theirs in zip(first['losses'], second['losses'], strict=True)]
    assert means == pytest.approx(one['losses'], rel=1e-6)
    for name, weight in one['weights'].items():
        torch.testing.assert_close(first['weights'][name], weight, rtol=1e-6, atol=1e-9, msg=name)
        assert torch.equal(first['weights'][name], second['weights'][name]), name


def test_only_what_is_named_is_synchronised_and_a_name_without_norms_is_an_error():
    model = nn.ModuleDict(dict(head=nn.Sequential(nn.BatchNorm1d(2)), body=nn.Sequential(nn.BatchNorm2d(2))))
    weight = model['head'][0].weight
    assert synchronise_batch_norm(model, ['head'], on_gpu=False) == 1
    assert isinstance(model['head'][0], ProcessBatchNorm)
    assert model['head'][0].weight is weight
    assert type(model['body'][0]) is nn.BatchNorm2d
    with pytest.raises(ConfigError, match="'neck'"):
        synchronise_batch_norm(model, ['neck'], on_gpu=False)


@pytest.mark.parametrize('processes', [2, 3, 5])
def test_mean_of_the_statistics_is_the_processes_own_where_they_are_alike(processes, monkeypatch):
    """Each process on its own; a sum over processes is made of what they would send."""
    draw = torch.Generator().manual_seed(2)
    statistics = [torch.rand(2, 5, generator=draw) * 100 for _ in range(processes)]

    def averaged(own: torch.Tensor, everyone: list[torch.Tensor]) -> torch.Tensor:
        norm = nn.BatchNorm1d(5)
        norm.running_mean, norm.running_var = own.clone().unbind()
        sent = iter([torch.stack([each[row] for each in everyone]) for row in (0, 1)])
        monkeypatch.setattr(batch_norm, 'get_world_size', lambda: processes)
        monkeypatch.setattr(
            batch_norm, 'all_reduce', lambda mean, op: mean.copy_(next(sent).to(mean).sum(0) / processes)
        )
        batch_norm.average_batch_norm(nn.Sequential(norm))
        return torch.stack([norm.running_mean, norm.running_var])

    wanted = torch.stack(statistics).double().mean(dim=0).float()
    assert torch.equal(averaged(statistics[0], statistics), wanted)
    assert torch.equal(averaged(wanted, [wanted] * processes), wanted)


def test_validation_sees_the_mean_statistics_also_between_checkpoints(tmp_path, monkeypatch):
    """A second process is made up whose running means are 1 larger: the mean is 0.5 more, once an epoch."""
    seen = []

    class Look(Watch):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            self.last = runner.model.state_dict()[name].clone()

        def before_val_epoch(self, runner) -> None:
            seen.append(runner.model.state_dict()[name] - self.last)

    cfg = classifier(
        tmp_path, epochs=2, default_hooks__checkpoint=dict(type='CheckpointHook', interval=2), **VALIDATION
    )
    runner = build(cfg, Look())
    name = next(key for key in runner.model.state_dict() if key.endswith('running_mean'))
    monkeypatch.setattr(batch_norm, 'get_world_size', lambda: 2)
    monkeypatch.setattr(batch_norm, 'all_reduce', lambda mean, op: mean.add_(0.5))
    runner.train()
    torch.testing.assert_close(seen[0], torch.full_like(seen[0], 0.5))  # no checkpoint was written in this epoch
    torch.testing.assert_close(seen[1], torch.full_like(seen[1], 1.0))  # one was, after the statistics were averaged
