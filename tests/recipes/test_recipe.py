"""Recipes as they are read, and when a step counts as done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from recipes.stand_ins import write_recipe

from binssl.recipes.job import Job
from binssl.recipes.recipe import Recipe, Step, read_recipe
from binssl.recipes.report import gather_records, read_curves
from binssl.registry import ConfigError


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return read_recipe(write_recipe(tmp_path))


def finished(job: Job, content: str = 'weights') -> Job:
    """A job that ran, with ``content`` as its output."""
    job.begin()
    job.output.write_text(content)
    job.finish([['train', 'it']])
    return job


def jobs(recipe: Recipe, tmp_path: Path) -> tuple[Job, Job]:
    return Job(recipe.steps['teacher'], 0, tmp_path / 'out'), Job(recipe.steps['student'], 0, tmp_path / 'out')


def test_tests_of_the_tables_rows_are_steps_too(recipe):
    assert list(recipe.steps) == ['teacher', 'student', 'alone', 'test_student', 'test_alone']
    assert recipe.steps['test_student'].inputs == {'checkpoint': 'student'}


def test_steps_may_be_shared_and_their_configs_begin_as_the_recipe_says(tmp_path):
    (tmp_path / 'base.py').write_text("steps = [dict(name='step1', config='_step1.py')]\n")
    (tmp_path / 'student_step1.py').write_text('"""A config."""\n')
    path = tmp_path / 'child.py'
    path.write_text(f"_base_ = ['./base.py']\nconfigs = '{tmp_path}/student'\n")
    assert read_recipe(path).steps['step1'].config == f'{tmp_path}/student_step1.py'


def own_test(folder: Path, rows: str, evaluator: str = '') -> Path:
    path = write_recipe(folder, student=evaluator)
    lines = [line for line in path.read_text().splitlines() if not line.startswith(('rows', 'test'))]
    path.write_text('\n'.join([*lines, f'rows = {rows}', "test = 'own'"]))
    return path


def test_own_test_is_that_of_the_steps_config(tmp_path):
    steps = read_recipe(own_test(tmp_path, "{'the student': 'student'}", 'test_evaluator = []')).steps
    assert (steps['test_student'].kind, steps['test_student'].config) == ('test', steps['student'].config)


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        (
            "{'the teacher': 'teacher'}",
            r"'teacher' is tested as its config says, with its head: give it weights='multi'",
        ),
        ("{'the student': 'student'}", r'student\.py has no test of its own'),
    ],
)
def test_own_test_that_cannot_be_is_named_before_anything_runs(tmp_path, rows, message):
    with pytest.raises(ConfigError, match=message):
        read_recipe(own_test(tmp_path, rows))


def test_optional_steps_and_what_builds_on_them_run_only_with_full(recipe):
    assert [step.name for step in recipe.chosen()] == ['teacher', 'student', 'test_student']
    assert [step.name for step in recipe.chosen(full=True)] == list(recipe.steps)


def test_until_takes_what_the_step_needs_and_no_more(recipe):
    assert [step.name for step in recipe.chosen(until='student')] == ['teacher', 'student']
    assert [step.name for step in recipe.chosen(until='alone')] == ['alone']


def test_until_an_unknown_step_names_the_nearest(recipe):
    with pytest.raises(ConfigError, match=r"no step 'studnet'; did you mean 'student'"):
        recipe.chosen(until='studnet')


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ("name='student'", "name='teacher'", r"two steps of the recipe are called 'teacher'"),
        (
            ": 'teacher'}",
            ": 'taecher'}",
            r"takes the weights of 'taecher', which no step before it makes; did you mean",
        ),
        ("weights='multi'", "weights='all'", r"no weights is called 'all'"),
        ("weights='multi'", "wieghts='multi'", r"'student' does not take 'wieghts'; did you mean 'weights'"),
        ('steps =', 'stesp =', r"nothing reads 'stesp'; did you mean 'steps'"),
        ('rows = ', '_rows = ', 'has a `test`, but no `rows`'),
        (
            "'the student': 'student'",
            "'the student': 'studnet'",
            r"the report shows 'studnet', and no step is called so",
        ),
        ('student.py', 'studnet.py', r'step .student.: there is no config .*studnet\.py'),
        ('steps = [', 'steps = [[', r'recipe .*recipe\.py cannot be read'),
    ],
)
def test_mistakes_are_named_before_anything_runs(tmp_path, old, new, message):
    path = write_recipe(tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        read_recipe(path)


def test_finished_job_is_done_and_one_that_only_began_is_not(recipe, tmp_path):
    teacher, _ = jobs(recipe, tmp_path)
    assert not teacher.is_done()
    teacher.begin()
    teacher.output.write_text('half')
    assert not teacher.is_done()
    assert finished(teacher).is_done()
    record = json.loads((teacher.folder / 'done.json').read_text())
    assert set(record) == {'fingerprint', 'outputs', 'seconds', 'core_seconds', 'config', 'commit', 'commands'}


def test_changed_config_output_or_input_undoes(recipe, tmp_path):
    teacher, student = jobs(recipe, tmp_path)
    finished(teacher)
    finished(student)
    assert student.is_done()
    teacher.output.write_text('other weights')
    assert not teacher.is_done()
    assert not student.is_done()
    finished(teacher)  # made anew, the same
    assert student.is_done()
    student.output.write_text('damaged')
    assert not student.is_done()
    finished(student)
    Path(student.step.config).write_text("model = dict(type='Classifier')")
    assert not Job(student.step, 0, tmp_path / 'out').is_done()


def test_what_the_config_only_comments_on_does_not_undo(recipe, tmp_path):
    teacher, _ = jobs(recipe, tmp_path)
    finished(teacher)
    Path(teacher.step.config).write_text('# said better\n' + Path(teacher.step.config).read_text())
    assert Job(teacher.step, 0, tmp_path / 'out').is_done()


def test_begun_step_goes_on_and_what_another_made_is_moved_aside(recipe, tmp_path):
    teacher, _ = jobs(recipe, tmp_path)
    assert teacher.begin() == 'starts'
    for count in (1, 2):
        checkpoint = teacher.folder / f'epoch_{count}.pth'
        checkpoint.write_text(f'days of work {count}')
        assert Job(teacher.step, 0, tmp_path / 'out').begin() == 'goes on'
        assert checkpoint.exists()
        Path(teacher.step.config).write_text(f"model = dict(type='Classifier', head={count})")
        aside = teacher.folder.with_name(f'teacher.before{count}')
        told = f'starts anew (another config, input or output: what was there is in {aside})'
        assert Job(teacher.step, 0, tmp_path / 'out').begin() == told
        assert not checkpoint.exists()
        assert (aside / checkpoint.name).read_text() == f'days of work {count}'


NO_EFFECT = dict(
    work_dir="'elsewhere'",
    log_level="'DEBUG'",
    visualizer="dict(type='Visualizer', vis_backends=[])",
    how_to_get="dict(teacher='ask')",
    default_hooks='dict(progress=dict(type="ProgressHook", interval=7), checkpoint=None, weight_signs=None)',
    test_dataloader='dict(batch_size=3)',
    train_dataloader='dict(batch_size=8, num_workers=3, pin_memory=True, persistent_workers=True, prefetch_factor=4)',
)
EFFECT = dict(
    model="dict(type='Encoder', frozen=['backbone'])",
    train_dataloader='dict(batch_size=9)',
    default_hooks='dict(average=dict(type="WeightAverageHook"))',
    custom_hooks="[dict(type='WeightAverageHook')]",
    optim_wrapper='dict(optimizer=dict(type="SGD", lr=0.2))',
    load_from="'other.pth'",
    sync_bn='True',
    val_dataloader='dict(batch_size=3)',
)


@pytest.mark.parametrize(
    ('key', 'value', 'same'), [(*row, True) for row in NO_EFFECT.items()] + [(*row, False) for row in EFFECT.items()]
)
def test_a_step_is_done_again_only_for_what_may_decide_what_it_makes(key, value, same, recipe, tmp_path):
    teacher, _ = jobs(recipe, tmp_path)
    config = Path(teacher.step.config)
    config.write_text(config.read_text() + '\ntrain_dataloader = dict(batch_size=8)\n')
    finished(Job(teacher.step, 0, tmp_path / 'out'))
    config.write_text(config.read_text() + f'\n{key} = {value}\n')
    assert Job(teacher.step, 0, tmp_path / 'out').is_done() == same


def test_folder_that_no_recipe_made_is_left_alone(recipe, tmp_path):
    teacher, _ = jobs(recipe, tmp_path)
    teacher.folder.mkdir(parents=True)
    (teacher.folder / 'thesis.tex').write_text('')
    with pytest.raises(ConfigError, match='holds something that no recipe made'):
        teacher.begin()
    assert (teacher.folder / 'thesis.tex').exists()


def test_training_gets_its_inputs_as_options_and_goes_on_by_itself(tmp_path):
    step = Step('stage2', 'stage2.py', inputs={'load_from': 'stage1'}, weights='multi', options={'train_cfg': 2})
    train, extract = Job(step, 3, Path('out')).commands('python', Path('tools'))
    assert train == [
        'python',
        'tools/train.py',
        'stage2.py',
        '--work-dir',
        'out/seed3/stage2',
        '--seed',
        '3',
        '--resume',
        'auto',
        '--cfg-options',
        'train_cfg=2',
        "load_from='out/seed3/stage1/weights.pth'",
    ]
    assert extract == [
        'python',
        'tools/extract_weights_for_multi.py',
        'out/seed3/stage2/latest.pth',
        'out/seed3/stage2/weights.pth',
        '--force',
    ]


def test_several_processes_are_joined_by_the_scripts_that_do_so(tmp_path):
    step, test = Step('stage1', 'stage1.py'), Step('test_stage1', 'tests.py', 'test', {'checkpoint': 'stage1'})
    train, extract = Job(step, 0, Path('out')).commands('python', Path('tools'), processes=8)
    assert train[:4] == ['bash', 'tools/dist_train.sh', 'stage1.py', '8']
    assert extract[:2] == ['python', 'tools/extract_weights.py']
    (command,) = Job(test, 0, Path('out')).commands('python', Path('tools'), processes=8)
    assert command == [
        'bash',
        'tools/dist_test.sh',
        'tests.py',
        'out/seed0/stage1/weights.pth',
        '8',
        '--work-dir',
        'out/seed0/test_stage1',
    ]


def test_records_hold_the_numbers_of_every_seed_of_the_rows_that_ran(recipe, tmp_path):
    steps = [recipe.steps[name] for name in ('teacher', 'student', 'test_student')]
    ran = [Job(step, seed, tmp_path / 'out') for seed in (0, 1) for step in steps]
    for job in ran:
        job.folder.mkdir(parents=True)
        done = dict(fingerprint={}, outputs={}, commit=None, commands=[])
        done |= dict(seconds=10.0 + job.seed, core_seconds=9.0)
        (job.folder / 'done.json').write_text(json.dumps(done))
        (job.folder / 'results.json').write_text(json.dumps(dict(metrics=dict(linear_top1=90.0 + job.seed))))
    expected = [
        dict(linear_top1=90.0, seconds=10.0, core_seconds=9.0),
        dict(linear_top1=91.0, seconds=11.0, core_seconds=9.0),
    ]
    assert gather_records(recipe, ran) == {'the student': expected}


def test_curves_of_an_interrupted_run_are_joined(tmp_path):
    starts = {'20260101_000000': [(10, 3.0), (20, 2.0), (30, 9.0)], '20260101_000100': [(30, 1.0), (40, 0.5)]}
    for name, points in starts.items():
        folder = tmp_path / name / 'vis_data'
        folder.mkdir(parents=True)
        lines = [json.dumps(dict(loss=loss, step=step, epoch=step // 10)) for step, loss in points]
        (folder / 'scalars.json').write_text('\n'.join(lines))
    assert read_curves(tmp_path)['loss'] == [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0), (4.0, 0.5)]
    assert read_curves(tmp_path / 'nothing') == {}


def test_validations_stand_beside_the_training_of_the_same_iteration(tmp_path):
    lines = [
        dict(loss=2.0, epoch=1, step=4),
        dict(val_top1=50.0, step=4),
        dict(loss=1.0, epoch=2, step=7),
        dict(val_top1=60.0, step=8),
    ]
    (tmp_path / 'start' / 'vis_data').mkdir(parents=True)
    (tmp_path / 'start' / 'vis_data' / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    curves = read_curves(tmp_path)
    assert curves['loss'] == [(1.0, 2.0), (1.75, 1.0)]
    assert curves['val_top1'] == [(1.0, 50.0), (2.0, 60.0)]
