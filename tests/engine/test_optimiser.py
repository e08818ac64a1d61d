"""Mixed precision on a CPU, and which parameters learn how."""

from __future__ import annotations

import sys

import pytest
import torch
from engine.runs import Watch, build, burn, classifier, everything, log_of, moco, run, run_until
from mmengine.hooks import Hook
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from binssl.binary import Shift
from binssl.engine import ParameterGroups
from binssl.registry import OPTIMIZERS, ConfigError

ADAM = dict(type='AdamW', lr=0.1, weight_decay=0.3)


@pytest.mark.parametrize('make', [burn, moco, classifier])
def test_bf16_trains_near_full_precision_keeps_its_weights_and_accumulates(make, tmp_path):
    losses = {}
    for precision in (None, 'bf16'):
        watch = Watch()
        settings = dict(epochs=1, batch=128, global_batch_size=256, optim_wrapper__precision=precision)
        runner = run(make(tmp_path / str(precision), **settings), watch)
        assert {p.dtype for p in runner.model.parameters()} == {torch.float32}
        losses[precision] = torch.tensor(watch.losses)
    assert not torch.equal(losses['bf16'], losses[None])
    torch.testing.assert_close(losses['bf16'][:2], losses[None][:2], rtol=0.02, atol=0.0)


def test_bf16_computes_in_bf16(tmp_path):
    runner = build(classifier(tmp_path, epochs=1, optim_wrapper__precision='bf16'))
    seen = set()
    runner.model.neck.register_forward_hook(lambda module, given, output: seen.add(output.dtype))
    runner.train()
    assert seen == {torch.bfloat16}


def test_bf16_resumes_exactly(tmp_path):
    checkpoint = dict(type='CheckpointHook', interval_iters=1)
    cfg = dict(optim_wrapper__precision='bf16', default_hooks__checkpoint=checkpoint)
    whole = everything(run(classifier(tmp_path / 'whole', **cfg)))
    run_until(classifier(tmp_path / 'parts', **cfg), 3)
    resumed = everything(run(classifier(tmp_path / 'parts', resume='auto', **cfg)))
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


def network() -> nn.Module:
    """A convolution, a norm, a learnable shift (1, C, 1, 1), a frozen part."""
    model = nn.Module()
    model.body = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), Shift(3))
    model.head = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    model.frozen = nn.Linear(3, 3).requires_grad_(False)
    return model


def groups(paramwise: dict, optimizer: dict = ADAM) -> tuple[list[dict], dict[int, str]]:
    model = network()
    wrapper = ParameterGroups(dict(optimizer=optimizer), paramwise)(model)
    return wrapper.optimizer.param_groups, {id(p): name for name, p in model.named_parameters()}


def test_all_trainable_parameters_make_one_group():
    (group,), names = groups({})
    assert {names[id(p)] for p in group['params']} == {name for name in names.values() if 'frozen' not in name}
    assert (group['lr'], group['initial_lr'], group['weight_decay']) == (0.1, 0.1, 0.3)


def test_decay_of_weights_spares_biases_norms_and_shifts():
    made, names = groups(dict(decay='weights'))
    decayed = {group['weight_decay']: {names[id(p)] for p in group['params']} for group in made}
    assert decayed[0.3] == {'body.0.weight', 'head.0.weight', 'head.1.weight'}
    assert decayed[0.0] == {'body.0.bias', 'body.1.weight', 'body.1.bias', 'body.2.bias', 'head.0.bias', 'head.1.bias'}


@pytest.mark.parametrize(
    ('decay', 'expected'),
    [
        ('four_axes', {'body.0.weight', 'body.2.bias'}),
        (['body.0.*', '*.1.bias'], {'body.0.weight', 'body.0.bias', 'body.1.bias', 'head.1.bias'}),
    ],
)
def test_decay_goes_to_tensors_of_four_axes_or_to_what_patterns_name(decay, expected):
    made, names = groups(dict(decay=decay))
    assert {names[id(p)] for group in made if group['weight_decay'] for p in group['params']} == expected


def test_rate_goes_by_the_longest_prefix():
    made, names = groups(dict(lr_mult={'head': 0.5, 'head.1': 2.0}))
    rates = {names[id(p)]: group['lr'] for group in made for p in group['params']}
    assert rates['head.0.weight'] == 0.05
    assert rates['head.1.bias'] == 0.2
    assert rates['body.0.weight'] == 0.1
    assert len(made) == 3
    assert all(group['initial_lr'] == group['lr'] for group in made)


def test_fixed_rates_are_left_alone_by_the_schedule(tmp_path):
    runner = run(classifier(tmp_path, epochs=1, optim_wrapper__paramwise_cfg=dict(decay='weights', fixed_lr=['head'])))
    rates = {group['fixed_lr']: group['lr'] for group in runner.optim_wrapper.param_groups}
    assert rates[True] == 2e-3
    assert 0 < rates[False] < 1e-3
    assert 'lr 0.000293 ' in log_of(runner)  # 2e-3 (cos(3 pi / 4) + 1) / 2: the log shows the scheduled one


def test_fused_kernel_gives_the_plain_ones_numbers():
    made = {}
    for fused in (True, False):
        torch.manual_seed(0)
        model = network()
        wrapper = ParameterGroups(dict(optimizer=dict(ADAM, fused=fused)))(model)
        for parameter in wrapper.optimizer.param_groups[0]['params']:
            parameter.grad = parameter.detach().cos()
        wrapper.optimizer.step()
        made[fused] = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(made[True], made[False])
    assert groups({})[0][0]['fused'] is True


@pytest.mark.parametrize(
    ('paramwise', 'optimizer', 'words'),
    [
        (dict(norm_decay_mult=0), ADAM, 'norm_decay_mult'),
        (dict(decay='none'), ADAM, "'none'"),
        (dict(decay=[]), ADAM, r'decay is \[\]'),
        (dict(decay=['body.*', 'tail.*']), ADAM, r"no trainable parameter is called 'tail\.\*'"),
        (dict(lr_mult=dict(neck=1.0)), ADAM, "under 'neck'"),
        (dict(lr_mult=dict(head=0)), ADAM, 'freeze'),
        (dict(fixed_lr=['neck']), ADAM, "fixed_lr: no trainable parameter is under 'neck'"),
        ({}, dict(type='AdamW'), 'optimizer.lr'),
        ({}, dict(ADAM, betas=(2, 3)), 'betas'),
    ],
)
def test_what_makes_no_sense_is_an_error(paramwise, optimizer, words):
    with pytest.raises(ConfigError, match=words):
        groups(paramwise, optimizer)


def test_model_that_cannot_learn_is_an_error():
    with pytest.raises(ConfigError, match='no trainable parameter'):
        ParameterGroups(dict(optimizer=ADAM))(network().requires_grad_(False))


def test_gradients_are_clipped_to_the_norm(tmp_path):
    runner = build(classifier(tmp_path, epochs=1, optim_wrapper__clip_grad=dict(max_norm=1e-3)))
    norms = []
    handle = register_optimizer_step_pre_hook(
        lambda optimizer, *_: norms.append(
            torch.nn.utils.get_total_norm([p.grad for group in optimizer.param_groups for p in group['params']]).item()
        )
    )
    try:
        runner.train()
    finally:
        handle.remove()
    assert norms == pytest.approx([1e-3] * 4, rel=1e-2)


def test_rates_scale_with_the_images_of_a_step(tmp_path):
    scale = dict(enable=True, base_batch_size=64)
    runner = run(classifier(tmp_path, epochs=1, batch=128, global_batch_size=256, schedules={}, auto_scale_lr=scale))
    assert {group['lr'] for group in runner.optim_wrapper.param_groups} == {2e-3 * 4}
    with pytest.raises(ConfigError, match='base_batch_size'):
        run(classifier(tmp_path / 'other', auto_scale_lr=dict(enable=True)))


LARS = dict(type='LARS', lr=0.2, momentum=0.9, weight_decay=0.3, trust_coeff=0.01)


def test_lars_scales_each_weight_by_its_norms_and_spares_what_is_not_decayed():
    model = network().double()
    wrapper = ParameterGroups(dict(type='OptimWrapper', optimizer=LARS), dict(decay='weights'))(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.full_like(p, 0.5)
    wrapper.step()
    for name, p in model.named_parameters():
        gradient = torch.full_like(p, 0.5)
        if sum(size > 1 for size in p.shape) > 1:  # arXiv:1708.03888, algorithm 1
            norms = before[name].norm(), gradient.norm()
            trust = 0.01 * norms[0] / (norms[1] + 0.3 * norms[0])
            gradient = (gradient + 0.3 * before[name]) * trust
        if p.requires_grad:
            torch.testing.assert_close(p.detach(), before[name] - 0.2 * gradient, rtol=1e-6, atol=1e-9)


def test_lars_resumes_exactly(tmp_path):
    cfg = dict(optim_wrapper__optimizer=LARS, default_hooks__checkpoint=dict(type='CheckpointHook', interval_iters=1))
    whole = everything(run(classifier(tmp_path / 'whole', **cfg)))
    run_until(classifier(tmp_path / 'parts', **cfg), 3)
    resumed = everything(run(classifier(tmp_path / 'parts', resume='auto', **cfg)))
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


def test_lars_that_adapts_nothing_is_an_error():
    wrapper = dict(type='OptimWrapper', optimizer=dict(LARS, weight_decay=0))
    with pytest.raises(ConfigError, match='is plain SGD'):
        ParameterGroups(wrapper)(network())
    wrapper['optimizer']['always_adapt'] = True
    assert ParameterGroups(wrapper)(network()).optimizer.defaults['always_adapt']


def test_a_part_that_is_a_function_is_called_by_its_type():
    with pytest.raises(ConfigError, match="optimizer LARS does not take 'trust'"):
        OPTIMIZERS.check(dict(LARS, trust=1), ('params',))


def test_lars_without_timm_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm.optim.lars', None)
    with pytest.raises(ConfigError, match=r'pip install "binssl\[lars\]"'):
        ParameterGroups(dict(type='OptimWrapper', optimizer=LARS))(network())


class TakesAway(Hook):
    """Takes the gradient of the classifier's weight away before every step."""

    def before_train(self, runner):
        weight = runner.model.head.fc.weight
        runner.optim_wrapper.before_step.append(lambda: setattr(weight, 'grad', None))


def test_gradient_that_is_taken_away_before_a_step_leaves_its_parameter(tmp_path):
    before = build(classifier(tmp_path / 'before')).model.head.fc
    runner = run(classifier(tmp_path / 'after', epochs=1), TakesAway())
    assert torch.equal(runner.model.head.fc.weight, before.weight)
    assert not torch.equal(runner.model.head.fc.bias, before.bias)
    assert len(runner.optim_wrapper.before_step) == 1  # the audit is over


def test_load_from_a_training_checkpoint_takes_the_momentum_teacher_along(tmp_path):
    first = run(moco(tmp_path / 'first', epochs=1))
    second = build(moco(tmp_path / 'second', epochs=1, load_from=str(tmp_path / 'first/run/latest.pth')))
    second.load_or_resume()
    taken = second.model.state_dict()
    assert all(torch.equal(tensor, taken[name]) for name, tensor in first.model.state_dict().items())
