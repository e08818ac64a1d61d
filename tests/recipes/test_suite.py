"""Suites of tasks: what they may say, what is planned, and what is asked before long work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from binssl.engine.config import load_config
from binssl.engine.weights import write_initial_weights
from binssl.recipes.evaluate import (
    ASK_ABOVE_SECONDS,
    describe_plan,
    evaluate,
    make_jobs,
    make_plan,
    parse_evaluation,
    unknown_numbers,
    write_evaluation,
)
from binssl.recipes.plan import NEEDED, Planned, count_passes
from binssl.recipes.recipe import SUITES, Step, check_tasks, read_suite, read_suites
from binssl.registry import ConfigError

FEATURES = 'configs/benchmarks/features/digits.py'
LINEAR = 'configs/benchmarks/linear_classification/digits.py'
SMALL = 'backbone=dict(channels=[8, 8, 16], strides=[1, 2])'
ON_FOLDERS = """
_base_ = ['{base}']
test_dataloader = dict(dataset=dict(_delete_=True, type='ImageFolder', folder='{folder}'))
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    config = tmp_path / 'small.py'
    base = Path('configs/_base_/models/reactnet_digits.py').resolve()
    config.write_text(f"_base_ = ['{base}']\nmodel = dict(type='Encoder', {SMALL})")
    write_initial_weights(config, tmp_path / 'weights.pth')
    return tmp_path / 'weights.pth'


def write_suite(folder: Path, **tasks: dict) -> str:
    """A suite's file."""
    (folder / 'mine.py').write_text(f'tasks = {tasks!r}\n')
    return str(folder / 'mine.py')


@pytest.mark.parametrize('suite', sorted(SUITES.glob('*.py')), ids=lambda path: path.stem)
def test_every_suite_reads_and_its_configs_describe_their_kind(suite: Path) -> None:
    for task in read_suite(suite).tasks.values():
        cfg = load_config(task.config, task.options)
        assert all(cfg.get(key) for key in NEEDED[task.kind]), task.name
        assert (task.kind == 'probe') == bool(cfg.get('train_cfg')), task.name
        assert task.protocol.endswith('.'), task.name


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('tasks = {}', 'has no tasks'),
        ('titel = "x"\ntasks = dict(a=1)', "nothing reads 'titel'; did you mean 'title'"),
        (f'tasks = dict(knn=dict(config="{FEATURES}"))', 'needs shows'),
        (f'tasks = dict(knn=dict(config="{FEATURES}", shows=dict(a="b"), kind="tset"))', "did you mean 'test'"),
        (f'tasks = dict(knn=dict(config="{FEATURES}", shows={{}}))', 'shows nothing'),
        ('tasks = dict(knn=dict(config="nowhere.py", shows=dict(a="b")))', 'there is no config nowhere.py'),
        (
            f'tasks = dict(knn=dict(config="{FEATURES}", show=dict(a="b")))',
            "does not take 'show'; did you mean 'shows'",
        ),
        ('1 / 0', 'ZeroDivisionError'),
    ],
)
def test_a_bad_suite_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / 'bad.py').write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_suite(tmp_path / 'bad.py')


def test_tasks_go_by_name_or_group(tmp_path: Path) -> None:
    shows = dict(top1='top-1')
    path = write_suite(
        tmp_path,
        knn=dict(config=FEATURES, shows=shows),
        semi_1percent=dict(config=LINEAR, shows=shows),
        semi_10percent=dict(config=LINEAR, shows=shows),
    )
    suites = read_suites([path])
    assert [task.name for task in suites[0].chosen(['semi'])] == ['semi_1percent', 'semi_10percent']
    assert [task.name for task in suites[0].chosen(['semi_10percent', 'knn'])] == ['knn', 'semi_10percent']
    assert len(suites[0].chosen([])) == 3
    with pytest.raises(ConfigError, match="no task is called 'sem1'; did you mean 'semi'"):
        check_tasks(['sem1'], suites)
    with pytest.raises(ConfigError, match="there is no suite 'digit'; did you mean 'digits'"):
        read_suites(['digit'])


def test_passes_are_counted_as_the_protocols_say() -> None:
    sizes = dict(train_dataloader=1000, val_dataloader=100, test_dataloader=100)
    linear = load_config(LINEAR)  # 50 epochs, one validation, a frozen trunk
    assert count_passes(linear, 'probe', sizes) == 50 * 1000 + 100 + 100
    linear.model.frozen = []  # forward and backward, the latter twice the work
    linear.train_cfg.val_interval = 10
    assert count_passes(linear, 'probe', sizes) == 3 * 50 * 1000 + 5 * 100 + 100
    linear.train_cfg.update(val_begin=45, val_interval=50)  # the last epoch is validated in any case
    assert count_passes(linear, 'probe', sizes) == 3 * 50 * 1000 + 100 + 100
    assert count_passes(load_config(FEATURES), 'test', dict(test_dataloader=1797)) == 1797


def test_what_cannot_run_is_told_and_the_rest_is_planned(tmp_path: Path, weights: Path) -> None:
    missing = tmp_path / 'missing.py'
    missing.write_text(ON_FOLDERS.format(base=Path(FEATURES).resolve(), folder=tmp_path / 'nowhere'))
    shows = dict(linear_top1='top-1')
    suite = write_suite(
        tmp_path, features=dict(config=FEATURES, shows=shows), other=dict(config=str(missing), shows=shows)
    )
    planned = make_plan(parse_evaluation([str(weights), '--suite', suite]))
    assert [entry.images for entry in planned] == [1797, 0]
    assert planned[0].seconds > 0
    assert len(planned[0].data) == 64
    assert 'nowhere' in planned[1].obstacle
    text = describe_plan(planned)
    assert '| mine.features |' in text
    assert 'not run: mine (other): ' in text
    with pytest.raises(ConfigError, match='none of these tasks can run here'):
        evaluate(parse_evaluation([str(weights), '--suite', suite, '--tasks', 'other']), Path('tools'))


@pytest.mark.parametrize(
    ('kind', 'config', 'words'),
    [
        ('probe', FEATURES, 'has no model, train_dataloader, train_cfg, and a .probe. needs it'),
        ('test', 'configs/_base_/runtime.py', 'has no test_dataloader'),
    ],
)
def test_a_config_of_another_kind_is_told(kind: str, config: str, words: str, tmp_path: Path, weights: Path) -> None:
    suite = write_suite(tmp_path, wrong=dict(config=config, kind=kind, shows=dict(top1='top-1')))
    with pytest.raises(ConfigError, match=words):
        make_plan(parse_evaluation([str(weights), '--suite', suite]))


def test_images_of_another_size_than_the_network_was_made_for_are_not_run(tmp_path: Path, weights: Path) -> None:
    large = tmp_path / 'large'
    for split in ('train', 'val'):
        for label in range(2):
            (large / split / str(label)).mkdir(parents=True)
            Image.new('RGB', (40, 40)).save(large / split / str(label) / '0.png')
    config = tmp_path / 'large.py'
    config.write_text(f"""_base_ = ['{Path('configs/benchmarks/knn/imagenet.py').resolve()}']
test_dataloader = dict(num_workers=0, dataset=dict(
    bank=dict(_delete_=True, type='SplitFolder', root='{large}', split='train'),
    query=dict(_delete_=True, type='SplitFolder', root='{large}', split='val')))""")
    suite = write_suite(tmp_path, knn=dict(config=str(config), shows=dict(knn_top1='k')))
    (planned,) = make_plan(parse_evaluation([str(weights), '--suite', suite]))
    assert 'made for images of 8 px (its backbone.input_size), these have 224' in planned.obstacle


def test_hours_of_work_are_asked_about(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path) -> None:
    suite = write_suite(tmp_path, features=dict(config=FEATURES, shows=dict(linear_top1='top-1')))
    arguments = [str(weights), '--suite', suite, '--work-dir', str(tmp_path / 'out')]
    task = read_suite(Path(suite)).tasks['features']
    long = Planned('mine', task, 'd' * 64, 1, 2.5 * ASK_ABOVE_SECONDS)
    monkeypatch.setattr('binssl.recipes.evaluate.plan_task', lambda *given: long)
    monkeypatch.setattr('sys.stdin.isatty', lambda: False, raising=False)
    with pytest.raises(ConfigError, match=r'about 2\.5 hours of work: choose --tasks or --suite, or agree with --yes'):
        evaluate(parse_evaluation(arguments), Path('tools'))
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('flag', ['--seeds', '--processes', '--workers'])
def test_numbers_below_one_are_refused(weights: Path, flag: str) -> None:
    with pytest.raises(ConfigError, match=f'{flag} 0 must be at least 1'):
        evaluate(parse_evaluation([str(weights), flag, '0']), Path('tools'))


def test_the_table_says_numbers_spread_hashes_and_what_is_left(tmp_path: Path, weights: Path) -> None:
    semi = Planned('digits', Step('semi', LINEAR, 'probe', shows=dict(top1='top-1')), 'abcdef0123' * 6, 10, 1.0)
    knn = Planned('digits', Step('knn', FEATURES, 'test', shows=dict(knn_top1='k = 20')), '0' * 64, 10, 1.0)
    away = Planned('imagenet', Step('knn', FEATURES, 'test', shows=dict(knn_top1='k = 20')), obstacle='no ImageNet')
    jobs = [(semi, make_jobs(semi, weights, 3, tmp_path)), (knn, make_jobs(knn, weights, 3, tmp_path))]
    assert [len(own) for _, own in jobs] == [3, 1]  # k-NN is the same with every seed
    for job, top1 in zip(jobs[0][1][:2], (50.0, 53.0), strict=True):
        job.begin()
        job.output.write_text(json.dumps(dict(metrics=dict(top1=top1))))
        job.finish([['python', 'tools/train.py']])
    text = write_evaluation([semi, knn, away], jobs, weights, tmp_path)
    record = json.loads((tmp_path / 'evaluation.json').read_text())
    row = next(line for line in text.splitlines() if line.startswith('| digits.semi'))
    assert '51.5 (50.0..53.0)' in row
    assert ' abcdef01 ' in row
    assert record['tasks'][0]['seeds'] == [0, 1]
    assert 'not finished' in next(line for line in text.splitlines() if line.startswith('| digits.knn'))
    assert '- not run: imagenet (knn): no ImageNet' in text
    assert record['sha256'] in text
    assert record['torch'] == torch.__version__
    assert record['tasks'][0]['data'] == 'abcdef0123' * 6
    # another start with other tasks keeps the rows that are finished
    later = write_evaluation([knn], jobs[1:], weights, tmp_path)
    assert row in later.splitlines()
    assert [each['task'] for each in json.loads((tmp_path / 'evaluation.json').read_text())['tasks']] == [
        'digits.semi',
        'digits.knn',
    ]


def test_a_number_that_a_task_does_not_give_is_an_error(tmp_path: Path, weights: Path) -> None:
    knn = Planned('digits', Step('knn', FEATURES, 'test', shows=dict(knn_top1='k', knn_top='typo')), '0' * 64, 10, 1.0)
    (job,) = make_jobs(knn, weights, 1, tmp_path)
    assert unknown_numbers([(knn, [job])]) == []  # not done
    job.begin()
    job.output.write_text(json.dumps(dict(metrics=dict(knn_top1=1.0))))
    job.finish([])
    (sentence,) = unknown_numbers([(knn, [job])])
    assert sentence == f"digits.knn shows 'knn_top', and {FEATURES} does not give it; did you mean 'knn_top1'?"
