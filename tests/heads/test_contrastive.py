"""InfoNCE against a plain loop and autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from binssl.heads import contrastive
from binssl.heads.contrastive import info_nce
from binssl.registry import HEADS, ConfigError

PROJECTOR = dict(type='MLP', in_channels=5, widths=[4], norm=None)


def unit(rows: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return F.normalize(torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype))


def similarities(query: torch.Tensor, key: torch.Tensor, negatives: torch.Tensor, temperature: float) -> torch.Tensor:
    """Over the temperature, the positive first: (N, 1 + K)."""
    return torch.cat([(query * key).sum(dim=1, keepdim=True), query @ negatives.T], dim=1) / temperature


def test_loss_equals_the_loop_of_the_paper():
    query, key, negatives = unit(3, 1), unit(3, 2), unit(7, 3)
    terms, ranks = [], []
    for q, k in zip(query, key, strict=True):
        positive = math.exp(float(q @ k) / 0.2)
        others = [math.exp(float(q @ n) / 0.2) for n in negatives]
        terms.append(-math.log(positive / (positive + sum(others))))
        ranks.append(sum(other >= positive for other in others))
    loss, rank = info_nce(query, key, negatives, 0.2)
    assert loss.item() == pytest.approx(sum(terms) / 3, rel=1e-12)
    assert rank.tolist() == ranks


def test_gradients_equal_those_of_autograd():
    query, key, negatives = unit(3, 1).requires_grad_(), unit(3, 2).requires_grad_(), unit(7, 3)
    logits = similarities(query, key, negatives, 0.2)
    wanted = torch.autograd.grad(3 * F.cross_entropy(logits, torch.zeros(3, dtype=torch.int64)), [query, key])
    given = torch.autograd.grad(3 * info_nce(query, key, negatives, 0.2)[0], [query, key])
    for ours, theirs in zip(given, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(lambda q, k: info_nce(q, k, negatives, 0.2)[0], (query, key))


@pytest.mark.parametrize('length', [1, 5, 64, 90, 200])
@pytest.mark.parametrize(('temperature', 'size'), [(0.2, 1.0), (0.01, 1.0), (0.001, 1.0), (0.05, 30.0)])
def test_chunks_of_any_length_give_what_autograd_gives(length, temperature, size, monkeypatch):
    query, key = (size * unit(6, seed, torch.float32) for seed in (1, 2))
    negatives = size * unit(90, 3, torch.float32)
    key[0], query[1] = -query[0], negatives[-1]  # the worst positive; the best negative comes last
    exact = [query.double().requires_grad_(), key.double().requires_grad_()]
    logits = similarities(*exact, negatives.double(), temperature)
    wanted = F.cross_entropy(logits, torch.zeros(6, dtype=torch.int64))
    wanted.backward()
    monkeypatch.setattr(contrastive, 'chunk_length', lambda query: length)
    given = [query.requires_grad_(), key.requires_grad_()]
    loss, rank = info_nce(*given, negatives, temperature)
    loss.backward()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert torch.equal(rank, (logits[:, 1:] >= logits[:, :1]).sum(dim=1))
    for ours, theirs in zip(given, exact, strict=True):
        scale = theirs.grad.abs().max().item()
        torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-4, atol=1e-4 * scale)


def test_ties_count_against_the_positive_and_so_does_nan():
    query = torch.eye(3, 4)
    negatives = torch.eye(3, 4).repeat(2, 1)
    _, rank = info_nce(query, query, negatives, 0.2)
    assert rank.tolist() == [2, 2, 2]
    query[1] = math.nan
    loss, rank = info_nce(query, query, negatives, 0.2)
    assert loss.isnan()
    assert rank.tolist() == [2, 6, 2]


def test_no_negatives_cost_nothing():
    loss, rank = info_nce(unit(3, 1), unit(3, 2), unit(7, 3)[:0], 0.2)
    assert (loss.item(), rank.tolist()) == (0, [0, 0, 0])


def test_hit_rates_are_percentages_of_the_ranks():
    head = HEADS.build(dict(type='ContrastiveHead', projector=PROJECTOR))
    assert head.embedding_channels == 4
    negatives = F.normalize(torch.tensor([[1.0, 1.0, 0.0, 0.0]]) + torch.arange(8.0).view(8, 1) * torch.eye(4)[0])
    key = F.normalize(
        torch.tensor([[1.0, 1.0, 0.0, 0.0], [4.5, 1.0, 0.0, 0.0], [9.0, 1.0, 0.0, 0.0], [6.5, 1.0, 0.0, 0.0]])
    )
    losses = head.contrast(torch.eye(4)[:1].expand(4, 4), key, negatives)  # ranks 8, 4, 0, 2
    assert (losses['top1'].item(), losses['top5'].item()) == (25, 75)


def test_queue_in_half_precision_is_read_in_float32():
    query, key, negatives = (unit(rows, seed, torch.float32) for rows, seed in ((3, 1), (3, 2), (7, 3)))
    loss, _ = info_nce(query, key, negatives.half(), 0.2)
    assert torch.equal(loss, info_nce(query, key, negatives.half().float(), 0.2)[0])


def test_queue_may_be_overwritten_before_the_backward_pass():
    query, key, negatives = unit(3, 1).requires_grad_(), unit(3, 2), unit(7, 3)
    (wanted,) = torch.autograd.grad(info_nce(query, key, negatives.clone(), 0.2)[0], query)
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


@pytest.mark.parametrize('temperature', [0.0, -0.2])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ConfigError, match=f'temperature {temperature} of ContrastiveHead must be above 0'):
        HEADS.build(dict(type='ContrastiveHead', projector=PROJECTOR, temperature=temperature))
