"""Mutual information in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from binssl.heads import mutual_information


def test_constant_answers_carry_none():
    logits = torch.tensor([[3.0, -1.0, 2.0]]).repeat(6, 1)
    assert mutual_information(logits, 0.2).item() == pytest.approx(0, abs=1e-6)


def test_unknowing_answers_carry_none():
    assert mutual_information(torch.zeros(6, 4), 0.2).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('classes', [2, 8])
def test_sure_and_balanced_answers_carry_the_log_of_the_classes(classes):
    logits = 1e4 * torch.eye(classes).repeat(3, 1)
    assert mutual_information(logits, 0.2).item() == pytest.approx(math.log(classes), rel=1e-6)


def test_soft_answers_equal_the_sum_over_the_joint_table():
    torch.manual_seed(0)
    logits = torch.randn(5, 3, dtype=torch.float64)
    p = (logits / 0.5).softmax(1)
    marginal = p.mean(0)
    wanted = sum(p[n, c] / 5 * math.log(p[n, c] / marginal[c]) for n in range(5) for c in range(3))
    assert mutual_information(logits, 0.5).item() == pytest.approx(wanted.item(), rel=1e-10)


def test_it_is_detached():
    assert not mutual_information(torch.randn(4, 3, requires_grad=True), 0.2).requires_grad
