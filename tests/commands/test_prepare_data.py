"""tools/prepare_data as a person types it, and killed in the middle."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from imagenet_folder import make_imagenet_folder
from made_up_archives import WNIDS, write_devkit, write_train_tar, write_val_tar
from warm_python import PYTHON

from binssl.data_tools.imagenet import ARCHIVE_META, Member
from binssl.datasets import ImageFolder, ImageNet

ROOT = Path(__file__).parents[2]
TOOLS = sorted(path.stem for path in (ROOT / 'tools/prepare_data').glob('*.py'))


@pytest.fixture
def tool(monkeypatch, capsys):
    """Runs a tool: exit code, what it printed, what it complained."""

    def run(name: str, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(ROOT / f'tools/prepare_data/{name}.py'), run_name='__main__')
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize('name', TOOLS)
def test_help_starts_with_an_example_that_can_be_typed(tool, name):
    code, output, _ = tool(name, '--help')
    assert code == 0
    assert f'python tools/prepare_data/{name}.py' in output


def test_archives_become_a_set_that_trains(tool, tmp_path):
    out, ids = tmp_path / 'imagenet', [3, 1, 2, 2]
    write_train_tar(tmp_path / 'train.tar')
    write_val_tar(tmp_path / 'val.tar', [WNIDS[number - 1] for number in ids])
    write_devkit(tmp_path / 'kit.tar.gz', ids)
    archives = ('--train', tmp_path / 'train.tar', '--val', tmp_path / 'val.tar')
    arguments = (*archives, '--val-labels', tmp_path / 'kit.tar.gz', '--out', out, '--skip-checksums')
    code, output, errors = tool('imagenet', *arguments)
    assert (code, errors) == (0, '')
    assert f"made '{out}/train': 9 images in 3 classes" in output

    assert tool('lists', out)[0] == 0
    code, output, _ = tool('subsets', out, '--percent', 34)
    assert code == 0
    assert 'not the one that SimCLR published' in output
    val = ImageNet('val', out, labeled=True, num_classes=3)
    names = {Path(val.index.path(n)).name: int(val.index.labels[n]) for n in range(len(val))}
    alphabetical = sorted(WNIDS)
    assert names == {f'ILSVRC2012_val_{n:08d}.JPEG': alphabetical.index(WNIDS[i - 1]) for n, i in enumerate(ids, 1)}
    code, output, _ = tool('imagenet', *arguments)
    assert code == 0
    assert 'made' not in output


def test_an_archive_that_is_not_the_published_one_is_refused(tool, tmp_path):
    write_train_tar(tmp_path / 'train.tar')
    code, _, errors = tool('imagenet', '--train', tmp_path / 'train.tar', '--out', tmp_path / 'out')
    assert code == 1
    assert errors.startswith('error: ')
    assert ARCHIVE_META['train'][1] in errors


@pytest.mark.parametrize('arguments', [[], ['--val', 'val.tar'], ['--val-labels', 'kit.tar.gz', '--train', 'a.tar']])
def test_arguments_that_do_not_belong_together_are_refused(tool, arguments):
    code, _, errors = tool('imagenet', *arguments)
    assert code == 2
    assert 'give --train' in errors or '--val and --val-labels go together' in errors


def test_an_official_list_is_of_one_percentage(tool, tmp_path):
    code, _, errors = tool('subsets', tmp_path, '--official', '1percent.txt')
    assert code == 2
    assert '--percent 1 or --percent 10' in errors


def test_ctrl_c_says_that_the_same_command_goes_on(tool, tmp_path, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    write_train_tar(tmp_path / 'train.tar')
    monkeypatch.setattr(Member, 'copy', interrupt)
    arguments = ('--train', tmp_path / 'train.tar', '--out', tmp_path / 'out', '--skip-checksums')
    code, _, errors = tool('imagenet', *arguments)
    assert (code, errors) == (130, 'interrupted; the same command goes on where it was\n')
    monkeypatch.undo()
    monkeypatch.setattr(sys, 'argv', ['imagenet.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools/prepare_data/imagenet.py'), run_name='__main__')
    assert len(ImageFolder(tmp_path / 'out/train')) == 9


def test_voc_without_a_devkit_is_refused_in_words(tool, tmp_path):
    code, _, errors = tool('voc', tmp_path)
    assert code == 1
    assert 'expected is the folder VOCdevkit' in errors


@pytest.mark.process
def test_a_killed_cache_is_gone_on_with(tool, tmp_path):
    source = make_imagenet_folder(tmp_path / 'source', train=1, val=0, classes=1, size=(800, 600), lists=False)
    (photo,) = source.rglob('*.JPEG')
    for number in range(1, 200):
        os.link(photo, photo.with_stem(f'{photo.stem}{number}'))
    out, part = tmp_path / 'out', tmp_path / 'out.part'
    arguments = ('resize_cache.py', source, out, '--workers', 1)
    command = [PYTHON, 'tools/prepare_data/resize_cache.py', *map(str, arguments[1:])]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    deadline = time.monotonic() + 60
    while sum(1 for _ in part.rglob('*.JPEG')) < 20:
        assert process.poll() is None, 'the run ended before it was killed'
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    placed = {path: path.stat().st_mtime_ns for path in part.rglob('*.JPEG')}
    assert 20 <= len(placed) < 200

    code, output, _ = tool('resize_cache', *arguments[1:])
    assert code == 0
    assert 'note: training crops from this cache are not those of the originals' in output
    assert not part.exists()
    assert not list(out.rglob('.*'))
    assert {path: (out / path.relative_to(part)).stat().st_mtime_ns for path in placed} == placed
    assert len(ImageFolder(out / 'train')) == 200
