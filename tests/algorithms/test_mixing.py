"""Mixed batches: shares of images and targets, what is drawn, what the parts of a classifier see."""

from __future__ import annotations

import copy

import pytest
import torch
from contracts.small import CLASSES, MIXED, SOFT_LABELS, batch, build, changed

from binssl.algorithms.classifier import build_mixing
from binssl.registry import ConfigError

LABELS = torch.tensor([0, 1, 2, 3])
PLAIN = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 16, 16).contiguous()  # image i is i everywhere


def shares(targets: torch.Tensor) -> list[float]:
    """The share of its own label in each row; checks that the rest is its neighbour's."""
    own = [targets[i, i].item() for i in range(4)]
    for i, share in enumerate(own):
        assert targets[i, i - 1 if i else 3].item() == pytest.approx(1 - share, abs=1e-6)
    assert targets.sum(dim=1).tolist() == pytest.approx([1] * 4, abs=1e-6)
    return own


@pytest.mark.parametrize('kind', ['MixUp', 'CutMix'])
def test_targets_hold_the_shares_of_the_images(kind):
    torch.manual_seed(0)
    mix = build_mixing([dict(type=kind, alpha=1.0)], CLASSES)
    drawn = set()
    for _ in range(10):
        images, targets = mix(PLAIN, LABELS)
        assert targets.shape == (4, CLASSES)
        for i, share in enumerate(shares(targets)):
            mean = share * i + (1 - share) * (i - 1 if i else 3)
            assert images[i].mean().item() == pytest.approx(mean, abs=1e-5)
            drawn.add(round(share, 6))
        values = len(images[3].unique())
        assert values == 1 if kind == 'MixUp' else values <= 2  # weighed, or a box pasted
    assert len(drawn) > 5


def test_shares_are_of_the_beta_distribution():
    """Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))."""
    torch.manual_seed(0)
    mix = build_mixing([dict(type='MixUp', alpha=0.2)], CLASSES)
    found = torch.tensor([mix(PLAIN[..., :1, :1], LABELS)[1][0, 0].item() for _ in range(2000)])
    assert found.mean().item() == pytest.approx(0.5, abs=0.03)
    assert found.var().item() == pytest.approx(1 / (4 * 1.4), rel=0.06)


def test_each_kind_has_its_turn():
    torch.manual_seed(0)
    mix = build_mixing([dict(type='MixUp', alpha=1.0), dict(type='CutMix', alpha=1.0)], CLASSES)
    weighed = sum(len(mix(PLAIN, LABELS)[0][3].unique()) == 1 for _ in range(200))
    assert 80 < weighed < 130  # a CutMix whose box is empty counts as well


def test_the_seed_decides(tmp_path):
    model = build(MIXED, tmp_path)
    data = model.data_preprocessor(batch(1))
    losses = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        losses.append(copy.deepcopy(model)(**data, mode='loss')['loss'].item())
    assert losses[0] == losses[1] != losses[2]


def test_the_loss_is_that_of_the_mixed_batch(tmp_path):
    model = build(changed(MIXED, head__label_smoothing=0.1), tmp_path)
    data = model.data_preprocessor(batch(1))
    images, labels = data['images'][0], data['labels']
    torch.manual_seed(3)
    losses = copy.deepcopy(model)(images, labels, mode='loss')
    torch.manual_seed(3)
    mixed, targets = model.mixing(images, labels)
    with torch.no_grad():
        log_q = copy.deepcopy(model)(mixed).log_softmax(dim=1)
    smooth = 0.9 * targets.double() + 0.1 / CLASSES
    assert losses['loss'].item() == pytest.approx(-(smooth * log_q).sum(dim=1).mean().item(), rel=1e-12)
    right = (log_q.argmax(dim=1) == targets.argmax(dim=1)).double().mean().item()
    assert losses['top1'].item() == pytest.approx(100 * right)


def test_the_teacher_sees_the_mixed_images(tmp_path):
    model = build(changed(SOFT_LABELS, mix=[dict(type='CutMix')]), tmp_path)
    data = model.data_preprocessor(batch(1))
    images, labels = data['images'][0], data['labels']
    torch.manual_seed(1)
    loss = copy.deepcopy(model)(images, labels, mode='loss')['loss'].item()
    torch.manual_seed(1)
    mixed, _ = model.mixing(images, labels)
    assert not torch.equal(mixed, images)
    with torch.no_grad():
        log_q = copy.deepcopy(model)(mixed).log_softmax(dim=1)
        p = model.teacher(mixed).softmax(dim=1)
    assert loss == pytest.approx(-(p * log_q).sum(dim=1).mean().item(), rel=1e-12)


def test_evaluation_mixes_nothing(tmp_path):
    model = build(MIXED, tmp_path).eval()
    data = model.data_preprocessor(batch(1))
    (answers,) = model(**data, mode='predict')
    assert torch.equal(answers['scores'], model(data['images'][0]))
    assert torch.equal(answers['labels'], data['labels'])


@pytest.mark.parametrize('config', [MIXED, dict(SOFT_LABELS, mix=MIXED['mix'])], ids=['labels', 'soft labels'])
def test_mixing_asks_nothing_of_the_device(config, tmp_path):
    """What is on the meta device has no value: whatever asks for one raises."""
    model = build(config, tmp_path).to('meta')
    data = batch(1)
    images = torch.empty_like(data['images'][0], dtype=torch.float64, device='meta')
    for seed in range(4):  # both kinds
        torch.manual_seed(seed)
        losses = model(images, data['labels'].to('meta'), mode='loss')
        assert all(value.is_meta for value in losses.values())


@pytest.mark.parametrize(
    ('mix', 'message'),
    [
        (dict(type='MixUp'), "mix is {'type': 'MixUp'}; it must be Sequence"),
        ([dict(type='Mixup')], "mix does not know 'Mixup'; did you mean 'MixUp'"),
        (['CutMix'], r"mix is \['CutMix'\]; it must be Sequence\[dict\]"),
        ([dict(alpha=0.2)], 'mix does not know None'),
        ([dict(type='CutMix', alfa=0.2)], "CutMix of mix does not take 'alfa'; did you mean 'alpha'"),
        ([dict(type='MixUp', alpha=0.0)], 'alpha 0.0 of MixUp must be a positive number'),
        ([dict(type='MixUp', alpha='1')], "alpha '1' of MixUp must be a positive number"),
        ([dict(type='MixUp', alpha=float('nan'))], 'alpha nan of MixUp must be a positive number'),
    ],
)
def test_mixing_that_makes_no_sense_is_an_error(mix, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(MIXED, mix=mix), tmp_path)
