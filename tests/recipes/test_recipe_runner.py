"""Steps as processes: their order, what a restart repeats, and that none outlives the recipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from recipes.stand_ins import write_recipe, write_tools
from warm_python import PYTHON

from binssl.checkpoints import read_checkpoint
from binssl.core.files import file_sha256
from binssl.core.locks import only_one
from binssl.recipes.recipe import read_recipe
from binssl.recipes.runner import run_recipe
from binssl.registry import ConfigError, TrainingError

_ROOT = Path(__file__).parents[2]


def order(out: Path) -> list[str]:
    """What began and ended since this was asked last."""
    file = out / 'seed0' / 'order.txt'
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'it did not happen'
        time.sleep(0.02)


def is_running(process: int) -> bool:
    try:
        state = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return False
    return state != 'Z'


@pytest.mark.process
def test_steps_hand_over_and_a_restart_repeats_only_what_changed(tmp_path, capfd):
    tools, out = write_tools(tmp_path / 'tools'), tmp_path / 'out'

    def run(**configs: str) -> list[str]:
        run_recipe(read_recipe(write_recipe(tmp_path, **configs)), tools, str(out), full=True, workers=2)
        return order(out)

    first = run()
    assert first.index('teacher ends') < first.index('student begins')
    teacher, student = (out / 'seed0' / name / 'weights.pth' for name in ('teacher', 'student'))
    assert student.read_text().endswith(teacher.read_text())
    assert f' s: linear {len(student.read_text())}  [' in capfd.readouterr().out
    assert run() == []
    assert 'already done  [5/5]' in capfd.readouterr().out
    changed = run(teacher="model['head'] = None")
    assert [line for line in changed if 'begins' in line] == ['teacher begins', 'student begins']
    teacher.write_text('damaged')
    # made again, it is the same: the student stays
    assert run(teacher="model['head'] = None") == ['teacher begins', 'teacher ends']


@pytest.mark.process
def test_failed_step_stops_the_others_and_shows_its_last_lines(tmp_path):
    tools, out = write_tools(tmp_path / 'tools'), tmp_path / 'out'
    recipe = read_recipe(write_recipe(tmp_path, teacher='_fails = True', alone='_seconds = 60'))
    with pytest.raises(TrainingError, match=r'step seed0/teacher failed(.|\n)*error: as the config says'):
        run_recipe(recipe, tools, str(out), full=True, workers=2)
    alone = out / 'seed0' / 'alone' / 'first_part'
    assert not alone.exists() or not is_running(int(alone.read_text()))
    assert not (out / 'seed0' / 'student').exists()


@pytest.mark.process
@pytest.mark.skipif(sys.platform != 'linux', reason='kill -9 of the recipe ends its steps on Linux only')
def test_killed_recipe_leaves_no_process_and_goes_on(tmp_path):
    tools, path = write_tools(tmp_path / 'tools'), write_recipe(tmp_path, seconds=60)
    for number in (signal.SIGTERM, signal.SIGKILL):
        out = tmp_path / f'out{number}'
        step = kill_in_mid_step(number, path, tools, out)
        wait_for(lambda step=step: not is_running(step))
        order(out)
        run_recipe(read_recipe(path), tools, str(out), until='teacher', workers=2)
        assert order(out) == ['teacher begins', 'teacher ends']
        assert (out / 'seed0' / 'teacher' / 'first_part').read_text() == str(step), 'it began anew'


def kill_in_mid_step(number: int, path: Path, tools: Path, out: Path) -> int:
    """Start a recipe, kill it in its first step; gives the process id of the step."""
    code = (
        'import sys; from pathlib import Path; from binssl.recipes.recipe import read_recipe; '
        'from binssl.recipes.runner import run_recipe; '
        'run_recipe(read_recipe(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], workers=2)'
    )
    recipe = subprocess.Popen([PYTHON, '-c', code, str(path), str(tools), str(out)], stderr=subprocess.DEVNULL)
    mark = out / 'seed0' / 'teacher' / 'first_part'
    wait_for(lambda: mark.exists() and mark.read_text() != '')
    step = int(mark.read_text())
    assert is_running(step)
    os.kill(recipe.pid, number)
    assert recipe.wait(20) != 0
    return step


@pytest.mark.process
@pytest.mark.slow
def test_real_steps_of_one_epoch_go_through_the_real_tools(tmp_path, monkeypatch):
    monkeypatch.chdir(_ROOT)
    monkeypatch.setattr(sys, 'executable', PYTHON)
    path = tmp_path / 'recipe.py'
    path.write_text("""
_ONE = {'train_cfg.max_epochs': 1, 'train_dataloader.dataset.split': 'held_out'}
steps = [
    dict(name='teacher', kind='init', config='configs/selfsup/moco/reactnet_real_digits.py'),
    dict(name='stage1', config='configs/selfsup/burn/stage1_digits.py', inputs={'model.teacher.checkpoint': 'teacher'},
         weights='multi', options=_ONE),
]
test = 'configs/benchmarks/features/digits.py'
rows = {'stage 1': 'stage1'}
""")
    run_recipe(read_recipe(path), _ROOT / 'tools', str(tmp_path / 'out'))
    seed = tmp_path / 'out' / 'seed0'
    trained = read_checkpoint(seed / 'stage1' / 'latest.pth')
    assert trained['meta']['teacher_sha256'] == file_sha256(seed / 'teacher' / 'weights.pth')
    assert any(key.startswith('target_head.') for key in read_checkpoint(seed / 'stage1' / 'weights.pth')['state_dict'])
    result = json.loads((seed / 'test_stage1' / 'results.json').read_text())
    assert result['sha256'] == file_sha256(seed / 'stage1' / 'weights.pth')
    assert result['metrics']['linear_top1'] > 10


def test_two_recipes_do_not_share_a_folder(tmp_path):
    with only_one(tmp_path), pytest.raises(ConfigError, match='a recipe is running'), only_one(tmp_path):
        pass


def test_no_seeds_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='--seeds 0'):
        run_recipe(read_recipe(write_recipe(tmp_path)), tmp_path, seeds=0)
