"""S2-BNN's distillation against its reference numbers, a plain loop and autograd."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from reference.fill import reference_images
from torch.nn import functional as F

from binssl.heads.distillation import distillation
from binssl.registry import HEADS, ConfigError

REFERENCE = json.loads((Path(__file__).parents[1] / 'reference/losses_and_schedules.json').read_text())
PROJECTOR = dict(type='MLP', in_channels=5, widths=[4], norm=None)


def unit(rows: int, seed: int, width: int = 4) -> torch.Tensor:
    return F.normalize(torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def head(**options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return HEADS.build(dict(dict(type='DistillationHead', projector=PROJECTOR), **options)).double()


def softmax(row: torch.Tensor, temperature: float) -> list[float]:
    powers = [math.exp(float(value) / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def test_loss_and_gradient_equal_the_published_ones():
    wanted = REFERENCE['s2bnn_distillation/T=0.2']
    student, teacher = (F.normalize(torch.from_numpy(reference_images((6, 128), seed)).double()) for seed in (21, 22))
    student.requires_grad_()  # the reference's gradient is with respect to the normalised rows
    loss = distillation(student, teacher, 0.2, 0.2)['loss']
    loss.backward()
    assert loss.item() == pytest.approx(wanted['loss'], rel=1e-8)
    assert student.grad.norm().item() == pytest.approx(wanted['grad_input_norm'], rel=1e-6)


def by_loop(student: torch.Tensor, teacher: torch.Tensor, student_t: float, teacher_t: float) -> dict[str, float]:
    """The entries as the paper defines them, image by image and class by class."""
    sums = dict(loss=0.0, kl=0.0, teacher_entropy=0.0, student_entropy=0.0)
    for s, t in zip(student, teacher, strict=True):
        q, p = softmax(s, student_t), softmax(t, teacher_t)
        sums['loss'] -= sum(a * math.log(b) for a, b in zip(p, q, strict=True)) / 5
        sums['kl'] += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / 5
        sums['teacher_entropy'] -= sum(a * math.log(a) for a in p) / 5
        sums['student_entropy'] -= sum(b * math.log(b) for b in q) / 5
    return sums


def test_every_entry_equals_the_loop_of_the_paper():
    entries = distillation(unit(5, 1), unit(5, 2), 0.3, 0.1)
    wanted = by_loop(unit(5, 1), unit(5, 2), 0.3, 0.1)
    assert {name: value.item() for name, value in entries.items()} == pytest.approx(wanted, rel=1e-12)


def test_only_the_student_gets_a_gradient_and_only_by_the_loss():
    student, teacher = unit(5, 1).requires_grad_(), unit(5, 2).requires_grad_()
    entries = distillation(student, teacher, 0.2, 0.2)
    assert [name for name, value in entries.items() if value.requires_grad] == ['loss']
    entries['loss'].backward()
    assert teacher.grad is None
    fixed = teacher.detach()
    assert torch.autograd.gradcheck(lambda rows: distillation(rows, fixed, 0.2, 0.1)['loss'], (student,))


def test_the_gradient_is_that_of_the_divergence():
    student, teacher = unit(5, 1).requires_grad_(), unit(5, 2)
    kl = F.kl_div((student / 0.2).log_softmax(1), (teacher / 0.2).softmax(1), reduction='batchmean')
    (wanted,) = torch.autograd.grad(kl, student)
    (given,) = torch.autograd.grad(distillation(student, teacher, 0.2, 0.2)['loss'], student)
    torch.testing.assert_close(given, wanted, rtol=1e-12, atol=1e-15)


def test_a_student_that_equals_its_teacher_has_no_divergence():
    entries = distillation(unit(5, 1), unit(5, 1), 0.2, 0.2)
    assert entries['kl'].item() == 0
    assert entries['loss'].item() == pytest.approx(entries['teacher_entropy'].item(), rel=1e-12)


def test_far_apart_logits_stay_finite():
    student = torch.tensor([[0.0, 1e4]], requires_grad=True)
    entries = distillation(student, -student.detach(), 0.1, 0.1)
    entries['loss'].backward()
    assert all(value.isfinite() for value in entries.values())
    assert student.grad.isfinite().all()


def test_half_precision_is_computed_in_float32():
    student, teacher = unit(5, 1).bfloat16(), unit(5, 2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        entries = distillation(student, teacher.half(), 0.2, 0.2)
    assert {value.dtype for value in entries.values()} == {torch.float32}
    assert torch.equal(entries['loss'], distillation(student.float(), teacher.half().float(), 0.2, 0.2)['loss'])


def test_embeddings_are_unit_rows_where_asked():
    features = torch.randn(6, 5, dtype=torch.float64)
    rows, raw = head().embed(features), head(normalize=False).embed(features)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(6, dtype=torch.float64))
    linear = head().projector.linear0
    torch.testing.assert_close(raw, features @ linear.weight.T + linear.bias)
    assert head().embedding_channels == 4


def test_each_side_has_its_temperature():
    student, teacher = unit(5, 1), unit(5, 2)
    given = head(student_temperature=0.3, teacher_temperature=0.1).distill(student, teacher)
    wanted = by_loop(student, teacher, 0.3, 0.1)
    assert {name: value.item() for name, value in given.items()} == pytest.approx(wanted, rel=1e-12)


def test_contrast_equals_cross_entropy_and_counts_hits():
    query, key, negatives = unit(5, 1), unit(5, 2), unit(9, 3)
    given = head(contrastive_temperature=0.1).contrast(query, key, negatives)
    positive = (query * key).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, query @ negatives.T], dim=1) / 0.1
    wanted = F.cross_entropy(logits, torch.zeros(5, dtype=torch.int64))
    assert given['loss'].item() == pytest.approx(wanted.item(), rel=1e-12)
    better = (logits[:, 1:] >= logits[:, :1]).sum(dim=1)
    assert given['top1'].item() == pytest.approx(100 * (better < 1).double().mean().item())
    assert given['top5'].item() == pytest.approx(100 * (better < 5).double().mean().item())


@pytest.mark.parametrize('name', ['student_temperature', 'teacher_temperature', 'contrastive_temperature'])
@pytest.mark.parametrize('value', [0.0, -0.2])
def test_temperatures_must_be_positive(name, value):
    with pytest.raises(ConfigError, match=f'{name} {value} of DistillationHead must be above 0'):
        head(**{name: value})


def test_contrast_of_rows_of_any_length_is_an_error():
    with pytest.raises(ConfigError, match='contrastive_temperature needs normalize=True'):
        head(contrastive_temperature=0.2, normalize=False)
