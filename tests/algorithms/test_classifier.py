"""The classifier: labels, scores, frozen parts."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from contracts.small import (
    CLASSIFIER,
    DISTILLATION,
    MIXED,
    NORMALIZER,
    SOFT_LABELS,
    TEACHER_BACKBONE,
    batch,
    build,
    changed,
    write_teacher,
)
from engine.runs import build as build_run
from engine.runs import config as run_config
from engine.runs import log_of, run
from torch import nn
from torch.nn import functional as F

import binssl
from binssl.checkpoints import read_checkpoint, write_checkpoint
from binssl.registry import ALGORITHMS, HEADS, ConfigError


def test_loss_is_the_cross_entropy_of_its_logits(tmp_path):
    model = build(CLASSIFIER, tmp_path).eval()
    data = model.data_preprocessor(batch(1))
    logits = model(**data, mode='tensor')
    losses = model(**data, mode='loss')
    assert losses['loss'].item() == pytest.approx(F.cross_entropy(logits, data['labels']).item(), rel=1e-12)
    assert losses['top1'].item() == 100 * (logits.argmax(1) == data['labels']).double().mean().item()


def test_scores_are_its_logits(tmp_path):
    model = build(CLASSIFIER, tmp_path).eval()
    data = model.data_preprocessor(batch(1))
    (answers,) = model(**data, mode='predict')
    assert torch.equal(answers['scores'], model(**data, mode='tensor'))


def test_one_tensor_is_one_view(tmp_path):
    model = build(CLASSIFIER, tmp_path).eval()
    data = model.data_preprocessor(batch(1))
    bare = model(data['images'][0], data['labels'], mode='loss')['loss']
    assert torch.equal(bare, model(**data, mode='loss')['loss'])


@pytest.mark.parametrize('frozen', [('backbone',), ('backbone', 'neck'), ('head',)])
def test_frozen_parts_stay_in_eval_mode(frozen, tmp_path):
    model = build(changed(CLASSIFIER, frozen=frozen), tmp_path)
    for mode in (True, False, True):
        model.train(mode)
        for name in ('backbone', 'neck', 'head'):
            training = {module.training for module in model.get_submodule(name).modules()}
            assert training == {mode and name not in frozen}


@pytest.mark.parametrize(
    ('frozen', 'message'),
    [
        (['backbon'], "no part 'backbon' to freeze; did you mean 'backbone'"),
        (['backbone', 'neck', 'head'], 'leaves nothing that learns'),
    ],
)
def test_frozen_names_that_do_not_fit(frozen, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(CLASSIFIER, frozen=frozen), tmp_path)


def test_missing_labels_are_named(tmp_path):
    model = build(CLASSIFIER, tmp_path)
    with pytest.raises(ConfigError, match='Classifier needs labels, and the data set gave none'):
        model(model.data_preprocessor(batch(1))['images'], mode='loss')


# BatchNorms alone


def norms_of(model: nn.Module) -> set[str]:
    """Names of the parameters of BatchNorms."""
    return {
        f'{name}.{kind}'
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for kind in ('weight', 'bias')
    }


def test_norms_alone_learn(tmp_path):
    model = build(changed(CLASSIFIER, learns='norms'), tmp_path)
    norms = norms_of(model)
    assert norms
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == norms
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.1)
    model(**model.data_preprocessor(batch(1)), mode='loss')['loss'].backward()
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    statistics = {name for name, _ in model.named_buffers() if 'running' in name or 'tracked' in name}
    assert moved == norms | statistics


def test_norms_of_frozen_parts_do_not_learn(tmp_path):
    neck = dict(type='PoolMLP', in_channels=16, widths=[12], last_norm=True, last_activation=True)
    model = build(changed(CLASSIFIER, neck=neck, learns='norms', frozen=['backbone']), tmp_path)
    assert {name.split('.')[0] for name, weight in model.named_parameters() if weight.requires_grad} == {'neck'}


def test_a_run_of_norms_alone_leaves_the_rest_alone(tmp_path):
    runner = build_run(run_config(tmp_path, changed(CLASSIFIER, learns='norms'), views=1, epochs=1))
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    moved = {name for name, value in runner.model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == norms_of(runner.model)


def test_more_labels_than_classes_are_refused_at_the_door(tmp_path):
    with pytest.raises(ConfigError, match='the training data have 10 classes, the head 7: change'):
        run(run_config(tmp_path, changed(CLASSIFIER, head__num_classes=7), views=1))


# a teacher's soft labels


def soft_cross_entropy(model: nn.Module, images: torch.Tensor) -> float:
    """-sum p log q, written out."""
    with torch.no_grad():
        logits = copy.deepcopy(model)(images)
        p, q = (rows.exp() / rows.exp().sum(dim=1, keepdim=True) for rows in (model.teacher(images), logits))
    return -(p * q.log()).sum(dim=1).mean().item()


@pytest.mark.parametrize('weight', [1.0, 0.25])
def test_soft_and_hard_labels_are_weighed(weight, tmp_path):
    smoothing = 0.0 if weight == 1 else 0.1
    model = build(changed(SOFT_LABELS, soft_label_weight=weight, head__label_smoothing=smoothing), tmp_path)
    data = model.data_preprocessor(batch(1))
    images, labels = data['images'][0], data['labels']
    with torch.no_grad():
        hard = F.cross_entropy(copy.deepcopy(model)(images), labels, label_smoothing=smoothing).item()
    losses = model(images, labels, mode='loss')
    wanted = weight * soft_cross_entropy(model, images) + (1 - weight) * hard
    assert losses['loss'].item() == pytest.approx(wanted, rel=1e-12)
    right = (model.teacher(images).argmax(dim=1) == labels).double().mean().item()
    assert losses['teacher_top1'].item() == pytest.approx(100 * right)


def test_with_soft_labels_alone_the_labels_only_count(tmp_path):
    model = build(SOFT_LABELS, tmp_path)
    data = model.data_preprocessor(batch(1))
    images = data['images'][0]
    gradients = []
    for labels in (data['labels'], data['labels'].flip(0)):
        twin = copy.deepcopy(model)
        losses = twin(images, labels, mode='loss')
        losses['loss'].backward()
        gradients.append([weight.grad for weight in twin.parameters()] + [losses['loss'].detach()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_the_student_starts_as_without_a_teacher(tmp_path):
    path = write_teacher(tmp_path / 'teacher.pth', head=SOFT_LABELS['teacher']['head'])
    alone, taught = (build(config, tmp_path) for config in (CLASSIFIER, changed(SOFT_LABELS, teacher__checkpoint=path)))
    assert taught.state_dict().keys() == alone.state_dict().keys()
    assert all(torch.equal(value, taught.state_dict()[name]) for name, value in alone.state_dict().items())


def test_a_run_logs_the_teacher(tmp_path):
    path = write_teacher(tmp_path / 'teacher.pth', head=SOFT_LABELS['teacher']['head'])
    model = changed(SOFT_LABELS, teacher__checkpoint=path, mix=MIXED['mix'])
    log = log_of(run(run_config(tmp_path, model, views=1, epochs=1)))
    assert all(name in log for name in ('teacher_top1', 'kl', 'top5'))


def test_what_comes_back_needs_no_teacher(tmp_path):
    config = changed(
        SOFT_LABELS,
        teacher__checkpoint=write_teacher(tmp_path / 'teacher.pth', head=SOFT_LABELS['teacher']['head']),
        mix=MIXED['mix'],
        learns='norms',
    )
    model = ALGORITHMS.build(config).eval()
    write_checkpoint(
        dict(format_version=1, state_dict=model.state_dict(), meta=dict(model=json.dumps(config))),
        tmp_path / 'trained.pth',
    )
    (tmp_path / 'teacher.pth').unlink()
    loaded = binssl.load_model(tmp_path / 'trained.pth')
    images = torch.randn(2, 3, 8, 8)
    assert loaded.teacher is None
    assert loaded.mixing is None
    assert torch.equal(loaded(images), model(images))


@pytest.mark.parametrize(
    ('config', 'changes', 'message'),
    [
        (CLASSIFIER, dict(learns='norm'), "learns 'norm' of Classifier is unknown: take 'all' or 'norms'"),
        (CLASSIFIER, dict(learns='norms', frozen=['backbone']), "with learns='norms' leaves nothing that learns"),
        (CLASSIFIER, dict(soft_label_weight=0.5), 'soft_label_weight 0.5 balances two losses, and Classifier without'),
        (SOFT_LABELS, dict(soft_label_weight=0.0), r'soft_label_weight 0.0 must lie in \(0, 1\]'),
        (SOFT_LABELS, dict(soft_label_weight=1.5), r'soft_label_weight 1.5 must lie in \(0, 1\]'),
        (SOFT_LABELS, dict(soft_label_weight='1'), "soft_label_weight is '1'; it must be float"),
        (SOFT_LABELS, dict(head__label_smoothing=0.1), 'head.label_smoothing 0.1 smooths hard labels'),
        (
            SOFT_LABELS,
            dict(head__num_classes=7),
            "the teacher's head gives 10 outputs, the student's 7: take a teacher of the same data set",
        ),
        (SOFT_LABELS, dict(teacher__head=None), "outputs of a teacher's head, and this teacher has none: give"),
        (
            SOFT_LABELS,
            dict(teacher__checkpoint='none.pth'),
            'the checkpoint of the frozen teacher is missing: none.pth',
        ),
        (SOFT_LABELS, dict(teacher=dict(type='MomentumTeacher')), "MomentumTeacher needs 'backbone'"),
        (CLASSIFIER, dict(head=DISTILLATION['head']), 'needs a head that offers loss, .*; DistillationHead does not'),
    ],
)
def test_bad_settings_are_errors_at_construction(config, changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(config, **changes), tmp_path)


class LabelsOnly(nn.Linear):
    """A head with the loss of hard labels and nothing else."""

    out_channels = 10

    def loss(self, logits, targets):
        return {'loss': F.cross_entropy(logits, targets)}


def test_the_head_answers_a_teacher_only_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setitem(HEADS.module_dict, 'LabelsOnly', LabelsOnly)
    head = dict(type='LabelsOnly', in_features=CLASSIFIER['head']['in_channels'], out_features=10)
    model = build(changed(CLASSIFIER, head=head), tmp_path)
    model(**model.data_preprocessor(batch(1)), mode='loss')['loss'].backward()
    assert model.head.weight.grad.any()
    with pytest.raises(ConfigError, match='a head that offers distill, rates, label_smoothing; LabelsOnly does not'):
        build(changed(SOFT_LABELS, head=head), tmp_path)


def test_the_normalisation_is_the_teachers(tmp_path):
    path = Path(write_teacher(tmp_path / 'teacher.pth', head=SOFT_LABELS['teacher']['head']))
    record = dict(type='Encoder', backbone=TEACHER_BACKBONE, data_preprocessor=NORMALIZER)
    write_checkpoint(dict(read_checkpoint(path), meta=dict(model=json.dumps(record))), path)
    config = changed(SOFT_LABELS, teacher__checkpoint=str(path))
    ALGORITHMS.build(config)
    with pytest.raises(ConfigError, match='the teacher was trained on images normalised otherwise'):
        ALGORITHMS.build(changed(config, data_preprocessor=dict(NORMALIZER, std=[60.0] * 3)))
