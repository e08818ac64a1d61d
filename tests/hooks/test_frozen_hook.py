"""What is frozen is the same to the bit, or the run says which tensor is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from contracts.small import CLASSIFIER, changed
from engine.runs import Watch, config, run
from made_up_voc_boxes import make_devkit

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


def test_frozen_norms_of_a_detector_are_checked(tmp_path: Path) -> None:
    """Those alone: the other weights of the backbone learn."""

    def touch(runner) -> None:
        with torch.no_grad():
            runner.model.backbone.stem.norm.running_mean[0] += 1e-3

    devkit = make_devkit(tmp_path / 'VOCdevkit', {('VOC2007', 'trainval'): 2})
    detector = dict(
        type='Detector',
        backbone=dict(type='ReActNet', channels=[4, 4, 8], strides=[2, 2]),
        norms='frozen',
        head=dict(type='FasterRCNN', num_classes=20, strides=[4, 8], channels=8, min_sizes=[32], max_size=48),
        data_preprocessor=dict(type='ImageNormalizer', mean=[120.0] * 3, std=[60.0] * 3),
    )
    settings = config(tmp_path, detector, epochs=1)
    settings.train_dataloader = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='EpochSampler'),
        dataset=dict(type='VOCDetection', sets=[['VOC2007', 'trainval']], root=str(devkit)),
    )
    run(settings.copy())
    settings.work_dir = str(tmp_path / 'touched')
    with pytest.raises(TrainingError, match=r'backbone\.stem\.norm\.running_mean of a frozen part has changed'):
        run(settings, Watch(touch))
