"""The gradient audit: for every switch, exactly what should learn gets a gradient and changes."""

from __future__ import annotations

import pytest
import torch
from contracts.small import (
    BARLOW_TWINS,
    BURN,
    BYOL,
    CLASSIFIER,
    DISTILLATION,
    MIXED,
    MOCO,
    S2BNN,
    SIMSIAM,
    SOFT_LABELS,
    SWAV,
    TEACHER_BACKBONE,
    batch,
    build,
    changed,
    sizes,
)

STUDENT = {'backbone', 'neck', 'head'}
NO_KL = dict(head__kl=False)

ROWS = {
    'BURN': (BURN, STUDENT | {'target_head'}),
    'BURN, target head frozen': (changed(BURN, train_target_head=False), STUDENT),
    'BURN, similarity of outputs': (changed(BURN, head__feature_similarity='outputs'), STUDENT | {'target_head'}),
    'BURN, the released loss': (changed(BURN, head__feature_similarity='outputs', train_target_head=False), STUDENT),
    'BURN, joint classifier alone': (changed(BURN, head__feature_similarity=None), STUDENT | {'target_head'}),
    'BURN, similarity of outputs alone': (
        changed(BURN, head__feature_similarity='outputs', **NO_KL),
        STUDENT | {'target_head'},
    ),
    'BURN, feature similarity alone, mapped': (
        changed(BURN, head__projector=None, head__in_channels=12, target_head=None, **NO_KL),
        STUDENT,
    ),
    'BURN, feature similarity alone, same widths': (
        changed(BURN, head__projector=None, neck=dict(type='PoolMLP'), head__in_channels=16, target_head=None, **NO_KL),
        {'backbone'},
    ),
    'BURN, squared distance': (changed(BURN, head__distance='squared'), STUDENT | {'target_head'}),
    'BURN, absolute distance': (changed(BURN, head__distance='absolute'), STUDENT | {'target_head'}),
    'BURN, real student': (changed(BURN, backbone=TEACHER_BACKBONE), STUDENT | {'target_head'}),
    'MoCo': (MOCO, STUDENT),
    'BYOL': (BYOL, STUDENT),
    'SimSiam': (SIMSIAM, STUDENT),
    'BarlowTwins': (BARLOW_TWINS, STUDENT),
    'SwAV': (SWAV, STUDENT),
    'SwAV, two crops and a queue': (changed(SWAV, local_crops=0, queue_length=16), STUDENT),
    'S2BNN, distillation only': (DISTILLATION, STUDENT),
    'S2BNN, contrastive and distillation': (S2BNN, STUDENT),
    'Classifier': (CLASSIFIER, STUDENT),
    'Classifier, soft labels': (SOFT_LABELS, STUDENT),
    'Classifier, soft and hard labels': (changed(SOFT_LABELS, soft_label_weight=0.5), STUDENT),
    'Classifier, mixed images': (MIXED, STUDENT),
    'Classifier, linear protocol': (changed(CLASSIFIER, frozen=['backbone', 'neck']), {'head'}),
    'Classifier, released linear protocol': (changed(CLASSIFIER, frozen=['backbone']), {'neck', 'head'}),
    'Classifier, frozen head': (changed(CLASSIFIER, frozen=['head']), {'backbone', 'neck'}),
}


def vanishing(model: torch.nn.Module) -> set[str]:
    """Biases in front of a BatchNorm, which takes them out again: their gradient is 0 but for rounding."""
    names = dict(model.named_parameters())
    in_front = {
        name
        for name in names
        if 'linear' in name and name.endswith('.bias') and name.replace('linear', 'norm') in names
    }
    last = [name for name in names if name.startswith('head.projector.linear') and name.endswith('.bias')][-1:]
    # what the projector adds to all rows alike meets the BatchNorm in the predictor; targets get no gradient
    return in_front | set(last) if 'head.predictor.norm0.weight' in names else in_front


@pytest.mark.parametrize('row', ROWS)
def test_exactly_what_should_learn_gets_a_gradient_and_changes(row, tmp_path):
    config, learning_parts = ROWS[row]
    model = build(config, tmp_path).train()
    learning = {name for name, _ in model.named_parameters() if name.split('.')[0] in learning_parts}
    assert {name.split('.')[0] for name in learning} == learning_parts
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == learning
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}

    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=1e-3)
    losses = model(**model.data_preprocessor(batch(sizes(model))), mode='loss')
    losses['loss'].backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    assert set(gradients) == learning
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    silent = {name for name, gradient in gradients.items() if gradient.abs().max() < 1e-12}
    assert silent <= vanishing(model)

    optimizer.step()
    moved = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert learning - vanishing(model) <= moved <= learning


@pytest.mark.parametrize(
    'row',
    [
        'BURN',
        'BURN, the released loss',
        'S2BNN, distillation only',
        'S2BNN, contrastive and distillation',
        'Classifier, soft labels',
    ],
)
def test_frozen_teacher_is_bit_unchanged_by_training(row, tmp_path):
    model = build(ROWS[row][0], tmp_path).train()
    hidden = model.teacher._hidden[0]
    before = {name: value.clone() for name, value in hidden.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(3):
        optimizer.zero_grad()
        model(**model.data_preprocessor(batch(model.views, seed=step)), mode='loss')['loss'].backward()
        optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in hidden.state_dict().items())
    assert all(weight.grad is None for weight in hidden.parameters())


@pytest.mark.parametrize('row', ['Classifier, linear protocol', 'Classifier, released linear protocol'])
def test_frozen_parts_keep_their_batch_norm_statistics(row, tmp_path):
    config, learning_parts = ROWS[row]
    model = build(config, tmp_path).train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    model(**model.data_preprocessor(batch(1)), mode='loss')
    frozen = {name for name, _ in model.named_buffers() if name.split('.')[0] not in learning_parts}
    assert frozen
    assert all(torch.equal(dict(model.named_buffers())[name], before[name]) for name in frozen)


def test_frozen_target_head_normalises_by_the_batch(tmp_path):
    model = build(changed(BURN, train_target_head=False), tmp_path).train()
    features = torch.randn(64, 16, dtype=torch.float64) * 0.01
    spread = model.classify_target(features).std(dim=0).mean()
    assert spread > 0.05  # with statistics of 0 and 1 it would be about 1e-3
    assert not model.classify_target(features).requires_grad
