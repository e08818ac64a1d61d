"""SwAV's transport and loss against plain loops, at its fixed point and at its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from contracts.small import SWAV, changed
from heads.plain_sinkhorn import sinkhorn_by_loop
from torch.nn import functional as F

from binssl.heads.prototypes import sinkhorn, swapped_prediction
from binssl.registry import HEADS, ConfigError


def some_scores(seed: int, images: int = 6, prototypes: int = 4) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(images, prototypes, generator=draw, dtype=torch.float64) - 1


@pytest.mark.parametrize('epsilon', [0.05, 0.5])
@pytest.mark.parametrize('iterations', [1, 3, 10])
def test_codes_equal_the_plain_iteration(epsilon, iterations):
    scores = some_scores(0)
    wanted = sinkhorn_by_loop(scores.numpy(), epsilon, iterations)
    np.testing.assert_allclose(sinkhorn(scores, epsilon, iterations).numpy(), wanted, rtol=1e-10, atol=1e-14)


def test_rows_sum_to_one_and_at_the_fixed_point_all_prototypes_get_the_same():
    scores = some_scores(1, images=12, prototypes=5)
    few, many = sinkhorn(scores, 0.3, 3), sinkhorn(scores, 0.3, 500)
    for codes in (few, many):
        torch.testing.assert_close(codes.sum(dim=1), torch.ones(12).double())
    torch.testing.assert_close(many.sum(dim=0), torch.full((5,), 12 / 5, dtype=torch.float64), rtol=1e-9, atol=0)
    torch.testing.assert_close(sinkhorn(scores, 0.3, 501), many)
    # Q = diag(u) exp(scores / epsilon) diag(v): what is left of log Q is a sum of a row's and a column's part
    rest = many.log() - scores / 0.3
    centred = rest - rest.mean(dim=0) - rest.mean(dim=1, keepdim=True) + rest.mean()
    assert centred.abs().max() < 1e-9


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(('size', 'epsilon'), [(1, 1e-4), (1e4, 0.05), (1e4, 1e-3)])
def test_large_scores_and_a_small_epsilon_do_not_overflow(dtype, size, epsilon):
    scores = (size * some_scores(2, images=9, prototypes=3)).to(dtype)
    codes = sinkhorn(scores, epsilon, 3)
    assert codes.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert codes.isfinite().all()
    torch.testing.assert_close(codes.sum(dim=1), torch.ones(9, dtype=codes.dtype))
    # the exponential itself would be infinite, in float64 too
    assert (scores.double() / epsilon).exp().isinf().any()


def test_a_small_epsilon_gives_each_image_to_one_prototype_and_a_large_one_to_all():
    scores = torch.tensor([[0.9, 0.1], [0.8, 0.3], [0.2, 0.7], [0.1, 0.6]], dtype=torch.float64)
    wanted = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]).double()
    torch.testing.assert_close(sinkhorn(scores, 0.005, 50), wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(sinkhorn(scores, 1e6, 3), torch.full((4, 2), 0.5).double(), atol=1e-5, rtol=0)


def test_codes_have_no_gradient():
    assert not sinkhorn(some_scores(0).requires_grad_(), 0.05, 3).requires_grad


def swapped_by_loop(scores: list[np.ndarray], codes: list[np.ndarray], temperature: float) -> tuple[float, list]:
    """The loss, and its slope at every score: (softmax - code) / T, for every crop that predicts."""
    images = len(scores[0])
    loss, slopes = 0.0, [np.zeros_like(crop) for crop in scores]
    for i, code in enumerate(codes):
        for v, crop in enumerate(scores):
            if v == i:
                continue
            share = 1 / (images * (len(scores) - 1) * len(codes))
            for n in range(images):
                exponentials = [math.exp(score / temperature) for score in crop[n]]
                probabilities = [value / sum(exponentials) for value in exponentials]
                for k, probability in enumerate(probabilities):
                    loss -= share * code[n, k] * math.log(probability)
                    slopes[v][n, k] += share * (probability - code[n, k]) / temperature
    return loss, slopes


@pytest.mark.parametrize(('crops', 'coded'), [(2, 2), (3, 1), (3, 2), (4, 3)])
def test_loss_and_gradient_equal_a_plain_loop(crops, coded):
    scores = [some_scores(seed).requires_grad_() for seed in range(crops)]
    codes = [sinkhorn(some_scores(10 + seed), 0.3, 3) for seed in range(coded)]
    loss = swapped_prediction(scores, codes, 0.1)
    loss.backward()
    wanted, slopes = swapped_by_loop([s.detach().numpy() for s in scores], [c.numpy() for c in codes], 0.1)
    assert loss.item() == pytest.approx(wanted, rel=1e-12)
    for crop, slope in zip(scores, slopes, strict=True):
        # the only crop with a code predicts none
        given = np.zeros_like(slope) if crop.grad is None else crop.grad.numpy()
        np.testing.assert_allclose(given, slope, rtol=1e-9, atol=1e-13)


@pytest.fixture
def head():
    torch.manual_seed(0)
    return HEADS.build(SWAV['head'])


def test_embedding_is_the_cosine_with_each_prototype_however_long(head):
    features = torch.randn(5, 12)
    head.eval()
    with torch.no_grad():
        head.prototypes.weight.mul_(torch.arange(1.0, 8).view(7, 1))
        wanted = F.cosine_similarity(head(features)[:, None], head.prototypes.weight[None], dim=2)
        torch.testing.assert_close(head.embed(features), wanted)
    assert head.embed(features).shape == (5, head.embedding_channels) == (5, 7)
    assert head.out_channels == 6


def test_prototypes_start_on_the_sphere_and_return_to_it(head):
    torch.testing.assert_close(head.prototypes.weight.norm(dim=1), torch.ones(7))
    with torch.no_grad():
        head.prototypes.weight.mul_(3)
    head.normalize_prototypes()
    torch.testing.assert_close(head.prototypes.weight.norm(dim=1), torch.ones(7))


def test_scores_keep_float32_under_autocast(head):
    rows = F.normalize(torch.randn(5, 6))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        scores = head.scores(rows)
    assert torch.equal(scores, rows @ head.prototypes.weight.t())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(prototypes=1), 'prototypes 1 of PrototypeHead must be at least 2'),
        (dict(temperature=0.0), 'temperature 0.0 of PrototypeHead must be above 0'),
        (dict(epsilon=0.0), 'epsilon 0.0 of PrototypeHead must be above 0'),
        (dict(epsilon=-0.1), 'epsilon -0.1'),
        (dict(sinkhorn_iterations=0), 'sinkhorn_iterations 0 of PrototypeHead must be at least 1'),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        HEADS.build(changed(SWAV['head'], **changes))
