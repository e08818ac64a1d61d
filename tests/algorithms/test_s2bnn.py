"""S2-BNN: what its loss is made of, in both modes, and what it refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from contracts.small import (
    BURN,
    DISTILLATION,
    MOCO,
    NORMALIZER,
    S2BNN,
    TEACHER_BACKBONE,
    batch,
    build,
    changed,
    write_teacher,
)
from torch.nn import functional as F

from binssl.checkpoints import read_checkpoint, write_checkpoint
from binssl.registry import ALGORITHMS, ConfigError


def views(model: torch.nn.Module, seed: int = 0) -> list[torch.Tensor]:
    return model.data_preprocessor(batch(model.views, seed=seed))['images']


def unit(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.square().sum(dim=1, keepdim=True).sqrt()


def cross_entropy(teacher: torch.Tensor, student: torch.Tensor, temperature: float = 0.2) -> float:
    target = (teacher / temperature).softmax(dim=1)
    return F.cross_entropy(student / temperature, target).item()


def test_distillation_only_compares_student_and_teacher_on_one_view(tmp_path):
    model = build(DISTILLATION, tmp_path).train()
    (view,) = views(model)
    with torch.no_grad():
        student, teacher = unit(copy.deepcopy(model)(view)), unit(model.teacher(view))
    losses = model([view], mode='loss')
    assert losses['loss'].item() == pytest.approx(cross_entropy(teacher, student), rel=1e-12)
    assert torch.equal(losses['distillation'], losses['loss'].detach())
    assert losses['kl'].item() == pytest.approx(losses['loss'].item() - losses['teacher_entropy'].item(), rel=1e-9)


@pytest.mark.parametrize('weight', [1.0, 0.25, 0.0])
def test_both_losses_are_added_on_the_same_query(weight, tmp_path):
    model = build(changed(S2BNN, distillation_weight=weight), tmp_path).train()
    query_view, key_view = views(model)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        query, key = unit(twin(query_view)), unit(twin.momentum_teacher(key_view))
        teacher = unit(twin.teacher(query_view))
    logits = torch.cat([(query * key).sum(dim=1, keepdim=True), query @ twin.queue.keys.T], dim=1) / 0.2
    contrastive = F.cross_entropy(logits, torch.zeros(8, dtype=torch.int64)).item()
    distillation = cross_entropy(teacher, query)
    losses = model([query_view, key_view], mode='loss')
    wanted = dict(contrastive=contrastive, distillation=distillation, loss=contrastive + weight * distillation)
    assert {name: losses[name].item() for name in wanted} == pytest.approx(wanted, rel=1e-12)
    torch.testing.assert_close(model.queue.keys[:8], key, rtol=1e-12, atol=1e-14)


def test_contrastive_part_equals_moco(tmp_path):
    model = build(changed(S2BNN, distillation_weight=0.0), tmp_path).train()
    moco = build(MOCO, tmp_path).train()
    missing = moco.load_state_dict(
        {key.replace('momentum_teacher.', 'teacher.'): value for key, value in model.state_dict().items()}
    )
    assert not missing.missing_keys
    for seed in range(2):
        given = views(model, seed)
        assert torch.equal(model(given, mode='loss')['loss'], moco(given, mode='loss')['loss'])
    assert torch.equal(model.queue.keys, moco.queue.keys)


@pytest.mark.parametrize(('config', 'wanted'), [(DISTILLATION, 1), (S2BNN, 2)])
def test_the_mode_says_how_many_views_are_needed(config, wanted, tmp_path):
    model = build(config, tmp_path)
    assert model.views == wanted
    with pytest.raises(ConfigError, match=f'S2BNN needs {wanted} view'):
        model([torch.zeros(8, 3, 8, 8).double()] * (3 - wanted), mode='loss')


def test_distillation_only_keeps_neither_copy_nor_queue(tmp_path):
    parts = {key.split('.')[0] for key in build(DISTILLATION, tmp_path).state_dict()}
    assert parts == {'backbone', 'neck', 'head'}
    both = {key.split('.')[0] for key in build(S2BNN, tmp_path).state_dict()}
    assert both == parts | {'momentum_teacher', 'queue'}


def test_any_head_of_a_teacher_will_do(tmp_path):
    """A classifier's logits, under a temperature of their own."""
    head = dict(type='LinearHead', in_channels=16, num_classes=10)
    path = write_teacher(tmp_path / 'classifier.pth', head=head)
    projector = dict(type='MLP', in_channels=12, widths=[10], norm=None)
    model = build(
        changed(
            DISTILLATION,
            teacher__head=head,
            teacher__checkpoint=path,
            head=dict(type='DistillationHead', projector=projector, normalize=False, teacher_temperature=4.0),
        ),
        tmp_path,
    )
    (view,) = views(model)
    target = (model.teacher(view) / 4).softmax(dim=1)
    with torch.no_grad():
        wanted = F.cross_entropy(copy.deepcopy(model)(view) / 0.2, target).item()
    assert model([view], mode='loss')['loss'].item() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ('config', 'changes', 'message'),
    [
        (DISTILLATION, dict(teacher__checkpoint=None), 'a frozen teacher needs a checkpoint, and none is given'),
        (DISTILLATION, dict(teacher__head=None), "outputs of a teacher's head, and this teacher has none: give"),
        (
            DISTILLATION,
            dict(head__projector=dict(type='MLP', in_channels=12, widths=[7], norm=None)),
            "the teacher's head gives 6 outputs, the student's 7: let head.projector end with the teacher's width",
        ),
        (DISTILLATION, dict(head=MOCO['head']), 'S2BNN needs a head that offers .*distill.*; ContrastiveHead does not'),
        (
            DISTILLATION,
            dict(head__contrastive_temperature=0.2),
            'without a momentum_teacher only distils and never reads head.contrastive_temperature',
        ),
        (DISTILLATION, dict(queue_length=32), 'without a momentum_teacher only distils and never reads queue_length'),
        (DISTILLATION, dict(distillation_weight=0.5), 'distillation_weight 0.5 balances two losses'),
        (S2BNN, dict(head__contrastive_temperature=None), 'contrasts too: it needs head.contrastive_temperature'),
        (S2BNN, dict(queue_length=None), 'contrasts too: it needs queue_length'),
        (S2BNN, dict(queue_length=0), 'queue_length 0 must be at least 1'),
        (S2BNN, dict(distillation_weight=-1.0), 'distillation_weight -1.0 must not be negative'),
        (S2BNN, dict(head__student_temperature=0.0), 'student_temperature 0.0 of DistillationHead must be above 0'),
        (S2BNN, dict(momentum_teacher__momentum=1.5), r'momentum 1.5 of MomentumTeacher must lie in \[0, 1\]'),
        (S2BNN, dict(teacher=dict(type='MomentumTeacher')), "MomentumTeacher needs 'backbone'"),
    ],
)
def test_bad_settings_are_errors_at_construction(config, changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(config, **changes), tmp_path)


def test_a_teacher_file_without_the_head_is_an_error_with_a_table(tmp_path):
    path = write_teacher(tmp_path / 'trunk.pth')
    with pytest.raises(ConfigError, match=r'36 of its 38 tensors[\s\S]*missing \(2\)[\s\S]*head.projector.linear0'):
        build(changed(DISTILLATION, teacher__checkpoint=path), tmp_path)


def test_a_queue_that_the_batch_does_not_divide_is_an_error(tmp_path):
    model = build(changed(S2BNN, queue_length=30), tmp_path).train()
    with pytest.raises(ConfigError, match='queue_length 30 must be a multiple of the global batch 8'):
        model(views(model), mode='loss')


def with_record(path: Path, **model: object) -> str:
    """The file with a record of the model that it holds."""
    content = read_checkpoint(path)
    write_checkpoint(dict(content, meta=dict(model=json.dumps(dict(type='Encoder', **model)))), path)
    return str(path)


OTHER = dict(NORMALIZER, mean=[100.0] * 3)


@pytest.mark.parametrize(
    ('recorded', 'given', 'message'),
    [
        (NORMALIZER, OTHER, r'data_preprocessor.mean: \[127.5, 127.5, 127.5\] in the file, \[100.0, 100.0, 100.0\] in'),
        (
            NORMALIZER,
            None,
            "data_preprocessor.type: 'ImageNormalizer' in the file, 'BaseDataPreprocessor' in the config",
        ),
        (NORMALIZER, dict(NORMALIZER, channels_last=True), None),
        (dict(NORMALIZER, views=[None]), dict(NORMALIZER, views=[[dict(type='PhotoFlip')]] * 2), None),
        (None, OTHER, None),
    ],
)
@pytest.mark.parametrize('kind', ['S2BNN', 'BURN'])
def test_the_normalisation_is_the_teachers(kind, recorded, given, message, tmp_path):
    config = dict(S2BNN=DISTILLATION, BURN=BURN)[kind]
    path = Path(write_teacher(tmp_path / 'teacher.pth', head=config['teacher'].get('head')))
    config = changed(
        config,
        data_preprocessor=given,
        teacher__checkpoint=with_record(path, backbone=TEACHER_BACKBONE, data_preprocessor=recorded),
    )
    if message is None:
        ALGORITHMS.build(config)
        return
    with pytest.raises(ConfigError, match=message) as error:
        ALGORITHMS.build(config)
    assert error.match('the teacher was trained on images normalised otherwise')
