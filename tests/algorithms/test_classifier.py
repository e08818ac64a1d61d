"""The classifier: labels, scores, frozen parts."""

from __future__ import annotations

import pytest
import torch
from contracts.small import CLASSIFIER, batch, build, changed
from torch.nn import functional as F

from binssl.registry import ConfigError


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
    answers, = model(**data, mode='predict')
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


@pytest.mark.parametrize(('frozen', 'message'), [
    (['backbon'], "no part 'backbon' to freeze; did you mean 'backbone'"),
    (['backbone', 'neck', 'head'], 'leaves nothing that learns'),
])
def test_frozen_names_that_do_not_fit(frozen, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        build(changed(CLASSIFIER, frozen=frozen), tmp_path)


def test_missing_labels_are_named(tmp_path):
    model = build(CLASSIFIER, tmp_path)
    with pytest.raises(ConfigError, match='Classifier needs labels, and the data set gave none'):
        model(model.data_preprocessor(batch(1))['images'], mode='loss')
