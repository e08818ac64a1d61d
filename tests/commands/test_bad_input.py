"""What a person can get wrong: one clear message before any long work; as a command sees it: test_tools.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from contracts.small import CLASSIFIER, changed
from engine.runs import NAMES, VALIDATION, burn, classifier, config, moco, run, run_until
from mmengine.config import Config

from binssl.checkpoints import read_checkpoint, write_checkpoint
from binssl.engine import testing
from binssl.engine.training import parse_training, train
from binssl.registry import ConfigError, TrainingError

EVERY_STEP = dict(type='CheckpointHook', interval_iters=2)


def save(cfg: Config, folder: Path) -> str:
    cfg.experiment_name = f'test_{next(NAMES)}'
    path = folder / 'config.py'
    cfg.dump(str(path))
    return str(path)


def message(*arguments: str, kind: type[Exception] = ConfigError) -> str:
    """What ``tools/train.py`` would print after ``error: ``."""
    with pytest.raises(kind) as caught:
        train(parse_training(arguments))
    return str(caught.value)


@pytest.fixture(scope='module')
def sound(tmp_path_factory) -> str:
    """A config with which nothing is wrong."""
    folder = tmp_path_factory.mktemp('sound')
    return save(burn(folder), folder)


def assert_nothing_began(folder: Path) -> None:
    assert not list(folder.glob('run/*.pth'))


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('modle.type=BURN', "nothing reads 'modle'; did you mean 'model'"),
        ('optim_wrapper.optimiser.lr=1', "no 'optim_wrapper.optimiser'; did you mean 'optimizer'"),
        ('model.head.projektor.norm=None', "no 'model.head.projektor'; did you mean 'projector'"),
        ('lr', 'takes key=value'),
        ('model.type=BURNN', "no algorithm is called 'BURNN'; did you mean 'BURN'"),
        ('model.queue=5', "does not take 'queue'"),
        ('model.backbone.type=ReActNett', "did you mean 'ReActNet'"),
        ('model.backbone.stride=2', "does not take 'stride'"),
        ('model.head.temprature=1', "did you mean 'temperature'"),
        ('model.backbone.conv_cfg.type=BinaryConv', "did you mean 'BinaryConv2d'"),
        ('model.teacher.checkpont=x', "did you mean 'checkpoint'"),
        ('train_dataloader.dataset.type=Digit', "did you mean 'Digits'"),
        ('train_dataloader.dataset.splits=train', "did you mean 'split'"),
        ('train_dataloader.dataset.split=trian', "did you mean 'train'"),
        ('train_dataloader.dataset.views=[dict(type="DigitAugment")]', "did you mean 'DigitsAugment'"),
        ('train_dataloader.batchsize=3', "did you mean 'batch_size'"),
        ('train_dataloader.batch_size=0', 'at least 1'),
        ('train_dataloader.batch_size=True', 'batch_size is True; it must be int'),
        ('train_dataloader.collate_fn.type=whole', 'whole_batch'),
        ('train_dataloader.sampler.type=EpochSample', "did you mean 'EpochSampler'"),
        ('train_dataloader.sampler.type=DefaultSampler', "use type='EpochSampler'"),
        ('optim_wrapper.optimizer.type=AdamV', "did you mean 'Adam"),
        ('optim_wrapper.optimizer.beta=3', "did you mean 'betas'"),
        ('optim_wrapper.optimizer.lr=-1', '-1'),
        ('optim_wrapper.optimizer.lr=fast', "'fast'"),
        ('optim_wrapper.optimizer.weight_decay=much', "weight_decay is 'much'"),
        ('optim_wrapper.precison=fp16', "did you mean 'precision'"),
        ('optim_wrapper.precision=fp8', "'fp8' is none of"),
        ('optim_wrapper.clip_grad=dict(max_norm=1, norm=2)', "'norm'"),
        ('optim_wrapper.clip_grad=dict(norm_type=2)', 'max_norm'),
        ('optim_wrapper.type=AmpOptimWrapper', "must be 'OptimWrapper'"),
        ('optim_wrapper.paramwise_cfg.lr_mult=dict(neckk=2.0)', "'neckk'"),
        ('optim_wrapper.paramwise_cfg.norm_decay_mult=0', 'norm_decay_mult'),
        ('schedules.lr.ennd=1', "'ennd'"),
        ('schedules.kl.target=head.klw', "no 'head.klw'"),
        ('schedules.kl.target=head.kl', "'head.kl' of the model is no number"),
        ('train_cfg.max_epoch=3', "did you mean 'max_epochs'"),
        ('train_cfg.max_epochs=0', 'at least 1'),
        ('train_cfg.type=IterBasedTrainLoop', "does not take 'max_epochs'"),
        ('randomness.sede=1', "did you mean 'seed'"),
        ('randomness.seed=one', "'one'"),
        ('default_hooks.checkpoint=dict(type="CheckpointHok")', "did you mean 'CheckpointHook'"),
        ('default_hooks.checkpoint=dict(type="CheckpointHook", keep=1)', "does not take 'keep'"),
        ('default_hooks.checkpoint=dict(type="CheckpointHook", save_best="knn_top1")', 'val_dataloader'),
        ('default_hooks.weight_sings=None', "did you mean 'weight_signs'"),
        ('custom_hooks=[dict(type="NoHook")]', "'NoHook'"),
        ('val_cfg={}', 'set all three'),
        ('global_batch_size=100', 'must be a multiple of'),
        ('sync_bn=5', 'sync_bn'),
        ('sync_bn=[5]', 'sync_bn is [5]'),
        ('train_dataloader.prefetch_factor=x', "prefetch_factor is 'x'; it must be int"),
        ('visualizer=dict(type="Visualizer", vis_backends=[dict(type="Tensorboard")])', "'TensorboardVisBackend'"),
        ('param_scheduler=dict(type="CosineLR", by_epoch=True)', 'did you mean'),
    ],
)
def test_option_that_makes_no_sense(option, words, sound, tmp_path):
    name = f'experiment_name=test_{next(NAMES)}'
    given = (sound, '--work-dir', str(tmp_path / 'run'), '--cfg-options', name, option)
    assert words in message(*given)
    if 'save_best' not in option:  # told by the hook alone
        assert words in message(*given, '--check', '1')
    assert_nothing_began(tmp_path)


def test_top_level_key_that_nothing_reads(tmp_path):
    (tmp_path / 'config.py').write_text('modell = 5\n')
    assert "'modell' (did you mean 'model'?)" in message(str(tmp_path / 'config.py'))


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('model = dict(\n', 'cannot be read'),
        ('model = undefined\n', '(line 1: model = undefined)'),
        ('_base_ = ["./nowhere.py"]\n', 'nowhere.py'),
        ('custom_imports = dict(imports=["no_such_module"])\n', 'no_such_module'),
        ('', 'describes no training: it has no model, train_dataloader, train_cfg, optim_wrapper'),
    ],
)
def test_config_that_cannot_be_read(text, words, tmp_path):
    (tmp_path / 'config.py').write_text(text)
    answer = message(str(tmp_path / 'config.py'))
    assert words in answer
    assert str(tmp_path / 'config.py') in answer


def test_variable_that_is_set_but_empty(tmp_path, monkeypatch):
    (tmp_path / 'config.py').write_text("root = '{{$SOME_ROOT:data/folder}}'\n")
    monkeypatch.setenv('SOME_ROOT', '')
    answer = message(str(tmp_path / 'config.py'))
    assert answer.startswith('the environment variable SOME_ROOT, which config ')
    assert answer.endswith('is set but empty: give it a value, or unset it for the default (unset SOME_ROOT)')
    monkeypatch.delenv('SOME_ROOT')
    assert "nothing reads the config key 'root'" in message(str(tmp_path / 'config.py'))


def test_config_that_is_not_there(tmp_path):
    (tmp_path / 'stage1.py').write_text('')
    assert "did you mean 'stage1'" in message(str(tmp_path / 'stage_1'))
    assert 'does not exist' in message(str(tmp_path / 'nowhere/stage1.py'))


def test_config_that_holds_more_than_data_is_refused_before_training(tmp_path):
    path = save(classifier(tmp_path), tmp_path)
    Path(path).write_text(Path(path).read_text() + '\nhow_to_get = dict(teacher={1, 2})\n')
    assert 'plain data' in message(path)
    assert_nothing_began(tmp_path)


def test_helper_variables_may_be_anything(tmp_path):
    path = save(classifier(tmp_path, epochs=1), tmp_path)
    Path(path).write_text('DEPTHS = {1, 2}\n_counts = {3}\n' + Path(path).read_text())
    train(parse_training([path]))
    assert list(tmp_path.rglob('epoch_1.pth'))


def test_views_that_the_loss_does_not_take(tmp_path):
    answer = message(save(burn(tmp_path, views=1), tmp_path))
    assert 'BURN trains on 2 view(s) of an image, and the training data give 1' in answer
    assert 'Classifier trains on 1 view(s)' in message(save(classifier(tmp_path, views=2), tmp_path))
    assert_nothing_began(tmp_path)


def test_queue_that_the_batch_does_not_divide(tmp_path):
    answer = message(save(moco(tmp_path, batch=200), tmp_path))
    assert '512' in answer
    assert '200' in answer
    assert_nothing_began(tmp_path)


def test_missing_files_are_all_named_with_the_way_to_them(tmp_path):
    cfg = burn(tmp_path, load_from='stage1.pth', how_to_get=dict(load_from='make it with: stage 1'))
    cfg.model.teacher.checkpoint = 'teacher.pth'
    answer = message(save(cfg, tmp_path))
    assert 'teacher is missing: teacher.pth' in answer
    assert 'load_from is missing: stage1.pth\n    make it with: stage 1' in answer
    assert 'resume is missing: there.pth' in message(save(classifier(tmp_path), tmp_path), '--resume', 'there.pth')
    assert 'pretrained is missing: p.pth' in message(save(classifier(tmp_path), tmp_path), '--pretrained', 'p.pth')
    assert_nothing_began(tmp_path)


def test_weights_named_for_a_config_come_with_the_commands_that_make_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('configs').mkdir()
    Path('configs/first.py').touch()
    first, other = 'work_dirs/first/weights.pth', 'work_dirs/other/weights.pth'
    cfg = burn(tmp_path, load_from=first, how_to_get=dict(load_from='or train in one stage'))
    answer = message(save(cfg, tmp_path))
    steps = 'python tools/train.py configs/first.py && python tools/{}.py work_dirs/first/latest.pth ' + first
    whole = steps.format('extract_weights_for_multi')  # heads go along
    processes = 'to train in N processes: bash tools/dist_train.sh configs/first.py N'
    assert f'load_from is missing: {first}\n    make it with: {whole}; {processes}\n    or train in one stage' in answer
    path = save(classifier(tmp_path), tmp_path)
    assert steps.format('extract_weights') in message(path, '--pretrained', first)
    assert message(path, '--pretrained', other).splitlines()[-1].endswith(f'pretrained is missing: {other}')
    assert_nothing_began(tmp_path)


def test_resume_auto_without_a_checkpoint_still_needs_what_it_starts_from(tmp_path):
    path = save(classifier(tmp_path, load_from='stage1.pth'), tmp_path)
    assert 'load_from is missing' in message(path, '--resume', 'auto')


def test_teacher_without_a_file(tmp_path):
    cfg = burn(tmp_path)
    cfg.model.teacher.checkpoint = None
    assert 'checkpoint' in message(save(cfg, tmp_path))


@pytest.mark.parametrize('key', ['load_from', 'teacher'])
def test_torn_file(key, tmp_path):
    cfg = burn(tmp_path)
    whole = (tmp_path / 'teacher.pth').read_bytes()
    torn = tmp_path / 'torn.pth'
    torn.write_bytes(whole[: len(whole) // 2])
    if key == 'load_from':
        cfg.load_from = str(torn)
    else:
        cfg.model.teacher.checkpoint = str(torn)
    answer = message(save(cfg, tmp_path))
    assert 'truncated' in answer
    assert 'torn.pth' in answer
    assert_nothing_began(tmp_path)


def test_weights_that_do_not_fit_give_a_table_and_no_training(tmp_path):
    run(classifier(tmp_path / 'first', epochs=1))
    other = changed(CLASSIFIER, neck__widths=[20], head__in_channels=20)
    weights = str(tmp_path / 'first/run/epoch_1.pth')
    answer = message(save(config(tmp_path, other, views=1, load_from=weights), tmp_path))
    assert 'none loaded' in answer
    assert 'head.fc.weight (10, 12), needed (10, 20)' in answer
    assert_nothing_began(tmp_path)


def test_folder_that_holds_a_run_is_not_started_afresh(tmp_path):
    run_until(classifier(tmp_path, default_hooks__checkpoint=EVERY_STEP), 3)
    path = save(classifier(tmp_path, optim_wrapper__optimizer__lr=0.5), tmp_path)
    before = sorted(file.name for file in (tmp_path / 'run').iterdir())
    assert 'already holds a run: go on with --resume auto, or name another --work-dir' in message(path)
    assert sorted(file.name for file in (tmp_path / 'run').iterdir()) == before
    assert 'optimizer.lr: 0.002 there, 0.5 here' in message(path, '--resume', 'auto')


@pytest.mark.parametrize('clip', [None, dict(max_norm=1.0)])
def test_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_checkpoint(clip, tmp_path):
    schedules = dict(lr=dict(target='lr', curve='step', milestones=[1], gamma=1e38))
    cfg = classifier(tmp_path, epochs=4, schedules=schedules, default_hooks__checkpoint=EVERY_STEP)
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.1)
    cfg.optim_wrapper.clip_grad = clip
    answer = message(save(cfg, tmp_path), kind=TrainingError)
    assert 'not finite at iteration ' in answer
    iteration = int(answer.split('iteration ')[1].split(';')[0])
    assert 5 < iteration <= 9
    kept = Path(answer.split('checkpoint is ')[1].split('. Lower')[0])
    weights = read_checkpoint(kept)
    assert weights['meta']['iter'] < iteration
    assert all(tensor.isfinite().all() for tensor in weights['state_dict'].values())


def test_test_without_what_it_needs(tmp_path):
    run(classifier(tmp_path / 'first', epochs=1))
    weights = str(tmp_path / 'first/run/epoch_1.pth')
    path = save(classifier(tmp_path), tmp_path)
    with pytest.raises(ConfigError, match='describes no test: it has no test_dataloader, test_cfg, test_evaluator'):
        testing.test(testing.parse_testing([path, weights]))
    metrics = [dict(type='KNAccuracy')]
    cfg = Config(dict(test_dataloader=VALIDATION['val_dataloader'], test_cfg=dict(), test_evaluator=metrics))
    with pytest.raises(ConfigError, match="did you mean 'KNNAccuracy'"):
        testing.test(testing.parse_testing([save(cfg, tmp_path), weights]))
    cfg.test_evaluator = [dict(type='KNNAccuracy')]
    with pytest.raises(ConfigError, match=r'there is no checkpoint nothing\.pth'):
        testing.test(testing.parse_testing([save(cfg, tmp_path), 'nothing.pth']))
    write_checkpoint(dict(state_dict=dict(weight=torch.zeros(2))), tmp_path / 'bare.pth')
    with pytest.raises(ConfigError, match=r'bare\.pth'):
        testing.test(testing.parse_testing([save(cfg, tmp_path), str(tmp_path / 'bare.pth')]))
