"""What is frozen is the same to the bit, or the run says which tensor is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from contracts.small import CLASSIFIER, changed
from engine.runs import Watch, config, run

from binssl.registry import TrainingError

FROZEN = changed(CLASSIFIER, frozen=('backbone', 'neck'))


TENSORS = ['backbone.stem.norm.running_var', 'backbone.stem.conv.weight', 'neck.mlp.linear0.bias']


@pytest.mark.parametrize('name', TENSORS)
def test_tensor_that_changed_is_named_and_no_checkpoint_written(name: str, tmp_path: Path) -> None:
    def touch(runner) -> None:
        with torch.no_grad():
            runner.model.state_dict()[name].view(-1)[0] += 1e-3

    with pytest.raises(TrainingError, match=f'{name} of a frozen part has changed'):
        run(config(tmp_path, FROZEN, views=1, epochs=1), Watch(touch))
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_sign_of_a_zero_is_a_change(tmp_path: Path) -> None:
    def touch(runner) -> None:
        runner.model.neck.mlp.linear0.bias.data[0] = -0.0 if runner.iter else 0.0

    with pytest.raises(TrainingError, match=r'neck\.mlp\.linear0\.bias'):
        run(config(tmp_path, FROZEN, views=1, epochs=1), Watch(touch))


def test_trunk_in_train_mode_is_found_out(tmp_path: Path) -> None:
    class Thaw(Watch):
        def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
            runner.model.backbone.train()

    with pytest.raises(TrainingError, match='BatchNorm that is not in eval mode'):
        run(config(tmp_path, FROZEN, views=1, epochs=1), Thaw())


def test_run_that_leaves_the_trunk_alone_ends_well(tmp_path: Path) -> None:
    for model, checked in ((FROZEN, True), (CLASSIFIER, False)):
        runner = run(config(tmp_path / str(checked), model, views=1, epochs=1))
        assert any(type(hook).__name__ == 'FrozenHook' for hook in runner.hooks) == checked
