"""fp16 for real on a CPU: scaled losses, skipped steps and what they leave alone; and the fused kernels beside it."""

from __future__ import annotations

import math

import pytest
import torch
from engine.runs import Watch, assert_same, build, classifier, everything, log_of, moco, run
from torch import nn

from binssl.checkpoints import read_checkpoint
from binssl.core.precision import follow
from binssl.engine import ParameterGroups
from binssl.hooks import WeightAverageHook
from binssl.registry import ConfigError, TrainingError

FP16 = dict(optim_wrapper__precision='fp16')
SGD = dict(type='SGD', lr=0.1, momentum=0.9)
INF, NAN = math.inf, math.nan

on_a_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='runs take the GPU here; tests/gpu has fp16 on it')


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def wrapped(net: nn.Module, optimizer: dict, **wrapper):
    return ParameterGroups(dict(optimizer=optimizer, **wrapper))(net)


def leave_memory_behind() -> None:
    """Freed memory that holds large numbers, as in any training: what is not written reads them."""
    junk = [torch.full((4, 4), 3e38) for _ in range(200)]
    del junk


def push(wrapper, net: nn.Module, gradients: list[torch.Tensor]) -> None:
    """A pass whose loss has these gradients."""
    loss = sum((weight * given).sum() for weight, given in zip(net.parameters(), gradients, strict=True))
    wrapper.update_params(loss)


def gradients_of(steps: int, bad: dict[int, float]) -> list[list[torch.Tensor]]:
    """Fixed gradients of ``network()``; those in ``bad`` have one element that is not finite."""
    torch.manual_seed(1)
    made = [[torch.randn_like(weight) for weight in network().parameters()] for _ in range(steps)]
    for step, value in bad.items():
        made[step][1][0] = value
    return made


# the step, against torch's plain optimisers, which are not called where the gradients are not finite


@pytest.mark.parametrize(
    'optimizer',
    [
        SGD,
        dict(SGD, nesterov=True, weight_decay=0.1),
        dict(SGD, dampening=0.5),
        dict(type='Adam', lr=0.1),
        dict(type='AdamW', lr=0.1, weight_decay=0.2),
        dict(type='RMSprop', lr=0.01, momentum=0.5),
    ],
    ids=lambda optimizer: '-'.join(map(str, optimizer.values())),
)
@pytest.mark.parametrize('counts', [1, 2])
@pytest.mark.parametrize('most', [None, 0.7])
def test_steps_are_those_of_the_plain_optimiser_over_the_finite_gradients(optimizer, counts, most):
    given = gradients_of(8, bad={0: INF, 1: NAN, 5: -INF})
    net, plain = network(), network()
    clip = None if most is None else dict(max_norm=most)
    wrapper = wrapped(net, optimizer, precision='fp16', accumulative_counts=counts, clip_grad=clip)
    seen = []
    wrapper.before_step.append(lambda: seen.append([weight.grad.clone() for weight in net.parameters()]))
    kind = getattr(torch.optim, optimizer['type'])
    steps = kind(plain.parameters(), **{key: value for key, value in optimizer.items() if key != 'type'}, foreach=False)
    for first in range(0, 8, counts):
        leave_memory_behind()
        for gradients in given[first : first + counts]:
            push(wrapper, net, gradients)
        whole = [torch.stack(parts).mean(dim=0) for parts in zip(*given[first : first + counts], strict=True)]
        finite = all(bool(torch.isfinite(gradient).all()) for gradient in whole)
        assert wrapper.step_taken.item() == finite
        for gradient, told in zip(whole, seen[-1], strict=True):
            torch.testing.assert_close(told, gradient, equal_nan=True)
        if not finite:
            continue
        norm = math.sqrt(sum(gradient.square().sum().item() for gradient in whole))
        share = 1.0 if most is None else min(1.0, most / (norm + 1e-6))
        for weight, gradient in zip(plain.parameters(), whole, strict=True):
            weight.grad = gradient * share
        steps.step()
        for weight, wanted in zip(net.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(weight, wanted, rtol=1e-4, atol=1e-6)
    assert len(seen) == 8 // counts


def test_scale_halves_with_each_skipped_step_and_is_in_the_state():
    net = network()
    wrapper = wrapped(net, SGD, precision='fp16')
    for gradients in gradients_of(4, bad={0: INF, 1: INF, 3: NAN}):
        push(wrapper, net, gradients)
    assert wrapper.loss_scale == 65536 / 8
    again = wrapped(network(), SGD, precision='fp16')
    again.load_state_dict(wrapper.state_dict())
    assert again.loss_scale == 65536 / 8
    assert wrapped(network(), SGD).loss_scale is None


@pytest.mark.parametrize(
    ('optimizer', 'precision', 'fused'),
    [(SGD, None, True), (SGD, 'bf16', True), (SGD, 'fp16', None), (dict(type='AdamW', lr=0.1), 'fp16', True)],
)
def test_sgd_is_not_fused_under_loss_scaling(optimizer, precision, fused):
    assert wrapped(network(), optimizer, precision=precision).optimizer.param_groups[0]['fused'] is fused


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(optimizer=dict(SGD, fused=True)), 'fused SGD goes wrong under fp16; leave it out'),
        (dict(clip_grad=dict(max_norm=1, error_if_nonfinite=True)), 'error_if_nonfinite: fp16 skips steps'),
    ],
)
def test_what_cannot_go_with_loss_scaling_is_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        wrapped(network(), **{'optimizer': SGD, 'precision': 'fp16', **settings})


# gradients that begin later than the others'


@pytest.mark.parametrize(
    'settings',
    [{}, dict(momentum=0), dict(nesterov=True, weight_decay=0.1), dict(dampening=0.3, weight_decay=0.1)],
    ids=str,
)
def test_a_gradient_may_begin_later_than_the_others(settings):
    """Against torch's SGD one tensor at a time; a parameter joins in step 3, another never."""
    settings = dict(SGD, **settings)
    net, plain = network(), network()
    steps = torch.optim.SGD(plain.parameters(), **{k: v for k, v in settings.items() if k != 'type'}, foreach=False)
    wrapper = wrapped(net, settings)
    for step, gradients in enumerate(gradients_of(6, bad={})):
        there = [True, step >= 3, False, step not in (0, 4)]
        for model in (net, plain):
            for weight, gradient, has in zip(model.parameters(), gradients, there, strict=True):
                weight.grad = gradient.clone() if has else None
        wrapper.step()
        steps.step()
        assert wrapper.optimizer.param_groups[0]['fused'] is True
        for weight, wanted in zip(net.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(weight, wanted, msg=f'step {step}')


def test_gradients_that_begin_together_are_stepped_by_the_fused_kernel_bit_for_bit():
    net, fused = network(), network()
    steps = torch.optim.SGD(fused.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1, fused=True)
    wrapper = wrapped(net, dict(SGD, weight_decay=0.1))
    for gradients in gradients_of(4, bad={}):
        for model in (net, fused):
            for weight, gradient in zip(model.parameters(), gradients, strict=True):
                weight.grad = gradient.clone()
        wrapper.step()
        steps.step()
    assert_same(dict(net.state_dict()), dict(fused.state_dict()))


# averages


@pytest.mark.parametrize('share', [0.0, 0.1, 0.75, 1.0])
def test_averages_follow_only_a_step_that_was_taken(share):
    average, weight = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 5.0])
    for taken, wanted in ((0.0, average), (1.0, (1 - share) * average + share * weight)):
        moved, double = average.clone(), average.double()
        follow([moved, double], [weight, weight.double()], share, torch.tensor(taken))
        torch.testing.assert_close(moved, wanted)
        torch.testing.assert_close(double, wanted.double())
        assert taken or torch.equal(moved, average)


# whole runs


class Overflow(Watch):
    """Gives one weight an infinite gradient in the iterations ``bad``; keeps what each iteration left."""

    def __init__(self, bad: tuple[int, ...]) -> None:
        super().__init__(self.look)
        self.bad, self.states, self.rates = bad, [], []

    def before_train(self, runner) -> None:
        weight = next(iter(runner.model.parameters()))
        weight.register_hook(lambda gradient: gradient * (INF if runner.iter in self.bad else 1.0))
        self.look(runner)

    def look(self, runner) -> None:
        state = {name: value.clone() for name, value in runner.model.state_dict().items()}
        for hook in runner.hooks:
            if isinstance(hook, WeightAverageHook):
                state |= {f'average.{name}': value.clone() for name, value in hook._average.items()}
        self.states.append(state)
        self.rates.append(runner.optim_wrapper.param_groups[0]['lr'])


@on_a_cpu
def test_run_computes_in_fp16_keeps_float32_weights_and_says_so(tmp_path):
    runner = build(classifier(tmp_path, epochs=1, **FP16))
    seen = set()
    runner.model.neck.register_forward_hook(lambda module, given, output: seen.add(output.dtype))
    runner.train()
    assert seen == {torch.float16}
    assert {weight.dtype for weight in runner.model.parameters()} == {torch.float32}
    assert 'fp16 on a CPU is trained as on a GPU' in log_of(runner)
    assert 'loss_scale 6.554e+04' in log_of(runner)


@on_a_cpu
def test_run_trains_near_full_precision_with_momentum(tmp_path):
    losses = []
    for name, precision in (('half', 'fp16'), ('full', None)):
        watch = Watch()
        cfg = classifier(tmp_path / name, optim_wrapper__precision=precision)
        cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.01, momentum=0.9)
        run(cfg, watch)
        losses.append(torch.tensor(watch.losses))
    assert not torch.equal(*losses)
    torch.testing.assert_close(*losses, rtol=0.02, atol=0.02)


@on_a_cpu
def test_skipped_step_moves_no_weight_teacher_or_average_and_time_goes_on(tmp_path):
    average = [dict(type='WeightAverageHook', decay=0.5)]
    watch = Overflow(bad=(0, 3))
    runner = run(moco(tmp_path, custom_hooks=average, **FP16), watch)
    learned = {name for name, weight in runner.model.named_parameters()}
    assert any(name.startswith('teacher.') for name in learned)
    for iteration, (before, after) in enumerate(zip(watch.states, watch.states[1:], strict=False)):
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        averages = {name for name in before if name.startswith('average.')}
        if iteration in watch.bad:
            assert not moved & (learned | averages)
        else:
            assert {name.split('.')[0] for name in moved & (learned | averages)} >= {'backbone', 'teacher', 'average'}
            for name in averages:
                wanted = 0.5 * before[name] + 0.5 * after[name.removeprefix('average.')]
                torch.testing.assert_close(after[name], wanted, rtol=1e-5, atol=1e-7)
        assert 'queue.keys' in moved
    assert len(set(watch.rates[1:])) == 8
    assert runner.optim_wrapper.loss_scale == 65536 / 4


@on_a_cpu
@pytest.mark.parametrize('optimizer', [SGD, dict(type='AdamW', lr=2e-3)], ids=['SGD', 'AdamW'])
@pytest.mark.parametrize('pause', [2, 5])
def test_resume_after_skipped_steps_changes_nothing(optimizer, pause, tmp_path):
    def cfg(name: str, **more):
        made = moco(tmp_path / name, default_hooks__checkpoint=dict(type='CheckpointHook', interval_iters=1), **more)
        made.optim_wrapper.optimizer, made.optim_wrapper.precision = optimizer, 'fp16'
        return made

    bad = (0, 1, 4)
    whole = run(cfg('whole'), Overflow(bad))

    class Stop(Overflow):
        def look(self, runner) -> None:
            if runner.iter + 1 == pause and self.states:
                raise KeyboardInterrupt
            super().look(runner)

    with pytest.raises(KeyboardInterrupt):
        run(cfg('parts'), Stop(bad))
    resumed = run(cfg('parts', resume='auto'), Overflow(bad))
    assert_same(everything(whole), everything(resumed))
    states = [read_checkpoint(tmp_path / f'{name}/run/latest.pth')['optimizer'] for name in ('whole', 'parts')]
    assert states[0]['loss_scaler'] == states[1]['loss_scaler']
    assert states[0]['loss_scaler']['scale'] == 65536 / 8


@on_a_cpu
def test_run_whose_every_step_is_skipped_ends(tmp_path):
    cfg = classifier(tmp_path, batch=64, default_hooks__not_a_number=dict(type='NotANumberHook', interval=34), **FP16)
    with pytest.raises(TrainingError, match=r'loss scale of fp16 fell to 3\.81e-06 by iteration 34: no scale'):
        run(cfg, Overflow(tuple(range(99))))
