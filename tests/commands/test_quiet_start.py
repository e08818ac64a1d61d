"""What a command says before its result: what somebody can act on, and nothing else."""

from __future__ import annotations

import logging
import warnings

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from torch.utils.data import DataLoader

from binssl.core.command_line import run_command


@pytest.fixture
def told_warnings(monkeypatch):
    """What is warned of where mmengine has its own logger alone, as at the start of a command."""
    monkeypatch.setattr(MMLogger, '_instance_dict', {})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        yield told


def test_variables_and_workers_are_not_told_and_the_rest_is(told_warnings, tmp_path, monkeypatch, capfd):
    (tmp_path / 'config.py').write_text("root = '{{$SOME_ROOT:data/folder}}'\n")
    monkeypatch.setenv('SOME_ROOT', '/some/folder')
    monkeypatch.setattr('os.sched_getaffinity', lambda process: {0})

    def main() -> None:
        assert Config.fromfile(tmp_path / 'config.py').root == '/some/folder'
        DataLoader(range(3), num_workers=2)
        print_log('the images are decoded, once', 'current')
        print_log('a list was cut off', 'current', logging.WARNING)
        warnings.warn('something else', stacklevel=1)

    run_command(main)
    said = ''.join(capfd.readouterr())
    assert 'env variable' not in said
    assert 'decoded, once' in said
    assert 'cut off' in said
    assert [str(warning.message) for warning in told_warnings] == ['something else']
