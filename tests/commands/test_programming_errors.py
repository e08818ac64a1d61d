"""Errors of a user's own code: a traceback that names the file and line, in every part of a run and in its check."""

from __future__ import annotations

import os
import subprocess
import traceback
from pathlib import Path

import pytest
from engine.runs import NAMES, classifier
from warm_python import PYTHON

from binssl.core.command_line import run_command
from binssl.engine.training import parse_training, train
from binssl.registry import ALGORITHMS, BACKBONES, DATASETS, ConfigError

ROOT = Path(__file__).parents[2]

#: parts as a user writes them; each `# ...` is where a test puts its typo
PARTS = """
from torch import nn
from torch.utils.data import get_worker_info

from binssl.algorithms import Classifier
from binssl.datasets import Digits
from binssl.registry import ALGORITHMS, BACKBONES, DATASETS

# at the import

@BACKBONES.register_module()
class MyTrunk(nn.Module):
    out_channels = 3

    def __init__(self, scale=1):
        super().__init__()
        self.scale = nn.Conv2d(3, 3, scale)
        # in the constructor

    def forward(self, images):
        # in the forward
        return (self.scale(images),)

@ALGORITHMS.register_module()
class MyClassifier(Classifier):
    def loss(self, images, labels=None):
        # in the loss
        return super().loss(images, labels)

@DATASETS.register_module()
class MyDigits(Digits):
    def __init__(self, **options):
        super().__init__(**options)
        # in the data set's constructor

    def __getitems__(self, places):
        # in the data set
        if get_worker_info() is not None:
            len(places)
            # in the worker
        return super().__getitems__(places)
"""


@pytest.fixture
def run_with(tmp_path, monkeypatch):
    """Trains with a typo at a place in the parts, as ``tools/train.py`` does."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = [(registry, set(registry.module_dict)) for registry in (ALGORITHMS, BACKBONES, DATASETS)]

    def train_with(place: str, typo: str, *flags: str, workers: int = 0) -> None:
        module = f'my_parts_{next(NAMES)}'
        (tmp_path / f'{module}.py').write_text(PARTS.replace(f'# {place}\n', f'{typo}  # TYPO\n'))
        cfg = classifier(tmp_path, epochs=1, custom_imports=dict(imports=[module]))
        cfg.model = dict(
            type='MyClassifier', backbone=dict(type='MyTrunk'), head=dict(type='LinearHead', num_classes=10)
        )
        cfg.train_dataloader.dataset.type = 'MyDigits'
        cfg.train_dataloader.num_workers = workers
        cfg.experiment_name = module
        cfg.dump(str(tmp_path / 'config.py'))
        run_command(lambda: train(parse_training([str(tmp_path / 'config.py'), *flags])))

    yield train_with
    for registry, names in known:
        for name in set(registry.module_dict) - names:
            del registry.module_dict[name]


@pytest.mark.parametrize(
    ('place', 'typo', 'flags', 'workers'),
    [
        ('at the import', 'nn.Lineer', ['--check', '1'], 0),
        ('at the import', 'import no_such_library', [], 0),
        ('in the constructor', 'self.width = self.widht', [], 0),
        ('in the constructor', "self.width = dict(width=3)['widht']", ['--check', '1'], 0),
        ('in the constructor', 'nn.Conv2d(3, out_channel=3)', ['--check', '1'], 0),
        ('in the forward', 'images.flatten(start_dimm=1)', [], 0),
        ('in the loss', 'labels.meen()', [], 0),
        ("in the data set's constructor", "int('one')", [], 0),
        ("in the data set's constructor", "int('one')", ['--check', '1'], 0),
        ('in the data set', "open('no_such_file')", [], 0),
        ('in the worker', "int('one')", [], 1),
    ],
)
def test_a_typo_of_a_user_keeps_its_traceback(place, typo, flags, workers, run_with, tmp_path):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever Python makes of the typo
        run_with(place, typo, *flags, workers=workers)
    assert not isinstance(caught.value, ConfigError)
    [module] = tmp_path.glob('my_parts_*.py')
    line = next(number for number, text in enumerate(module.read_text().split('\n'), 1) if 'TYPO' in text)
    assert f'File "{module}", line {line}' in ''.join(traceback.format_exception(caught.value))


@pytest.mark.parametrize('flags', [[], ['--check', '1']])
def test_a_mistyped_key_of_a_users_part_is_one_sentence(flags, run_with, capsys):
    with pytest.raises(SystemExit, match='1'):
        run_with('at the import', '', *flags, '--cfg-options', 'model.backbone.scal=3')
    said = "error: backbone MyTrunk does not take 'scal' ('scal': did you mean 'scale'?)\n"
    assert capsys.readouterr().err == said


@pytest.mark.process
def test_a_typo_ends_the_command_with_its_traceback(tmp_path):
    (tmp_path / 'my_typo.py').write_text('\nundefined\n')
    (tmp_path / 'config.py').write_text("custom_imports = dict(imports=['my_typo'])\n")
    environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}:{ROOT}'}
    command = [PYTHON, 'tools/train.py', str(tmp_path / 'config.py'), '--check', '1']
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 1
    assert f'File "{tmp_path}/my_typo.py", line 2' in run.stderr
