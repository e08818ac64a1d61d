"""InfoNCE against a plain loop and autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from binssl.heads.contrastive import contrastive_logits, info_nce
from binssl.registry import HEADS, ConfigError

PROJECTOR = dict(type='MLP', in_channels=5, widths=[4], norm=None)


def unit(rows: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return F.normalize(torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype))


def test_loss_equals_the_loop_of_the_paper():
    query, key, negatives = unit(3, 1), unit(3, 2), unit(7, 3)
    terms, hits = [], 0
    for q, k in zip(query, key, strict=True):
        positive = math.exp(float(q @ k) / 0.2)
        others = [math.exp(float(q @ n) / 0.2) for n in negatives]
        terms.append(-math.log(positive / (positive + sum(others))))
        hits += positive >= max(others)
    loss, top1 = info_nce(query, key, negatives, 0.2)
    assert loss.item() == pytest.approx(sum(terms) / 3, rel=1e-12)
    assert top1.item() == pytest.approx(100 * hits / 3)


def test_gradients_equal_those_of_autograd():
    query, key, negatives = unit(3, 1).requires_grad_(), unit(3, 2).requires_grad_(), unit(7, 3)
    logits = contrastive_logits(query, key, negatives, 0.2)
    wanted = torch.autograd.grad(3 * F.cross_entropy(logits, torch.zeros(3, dtype=torch.int64)), [query, key])
    given = torch.autograd.grad(3 * info_nce(query, key, negatives, 0.2)[0], [query, key])
    for ours, theirs in zip(given, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(lambda q, k: info_nce(q, k, negatives, 0.2)[0], (query, key))


def test_queue_may_be_overwritten_before_the_backward_pass():
    query, key, negatives = unit(3, 1).requires_grad_(), unit(3, 2), unit(7, 3)
    wanted, = torch.autograd.grad(info_nce(query, key, negatives.clone(), 0.2)[0], query)
    loss, _ = info_nce(query, key, negatives, 0.2)
    negatives[:3] = key
    loss.backward()
    assert torch.equal(query.grad, wanted)


def test_nothing_as_long_as_the_queue_is_kept_for_the_backward_pass():
    query, key, negatives = unit(3, 1).requires_grad_(), unit(3, 2), unit(1000, 3)
    kept = []
    pack = lambda tensor: kept.append(tensor.numel()) or tensor
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        info_nce(query, key, negatives, 0.2)
    assert 0 < max(kept) <= query.numel()


def test_autocast_computes_in_float32():
    query, key, negatives = (unit(rows, seed, torch.float32) for rows, seed in ((3, 1), (3, 2), (7, 3)))
    query.requires_grad_()
    exact, _ = info_nce(query, key, negatives, 0.2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss, _ = info_nce(query, key, negatives, 0.2)
    assert torch.equal(loss, exact)
    loss.backward()
    assert query.grad.dtype == torch.float32


def test_embeddings_have_unit_length():
    head = HEADS.build(dict(type='ContrastiveHead', projector=PROJECTOR)).double()
    features = torch.randn(6, 5, dtype=torch.float64)
    torch.testing.assert_close(head.embed(features).norm(dim=1), torch.ones(6, dtype=torch.float64))
    linear = head.projector.linear0
    torch.testing.assert_close(head(features), features @ linear.weight.T + linear.bias)


@pytest.mark.parametrize('temperature', [0., -0.2])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ConfigError, match=f'temperature {temperature} of ContrastiveHead must be above 0'):
        HEADS.build(dict(type='ContrastiveHead', projector=PROJECTOR, temperature=temperature))
