"""tools/model_cost.py as a person types it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGITS = str(ROOT / 'configs' / 'supervised' / 'reactnet_digits')


@pytest.fixture
def model_cost(monkeypatch, capsys):
    """Runs the tool: exit code, what it printed, what it complained."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', ['model_cost.py', *arguments])
        code = 0
        try:
            runpy.run_path(str(ROOT / 'tools' / 'model_cost.py'), run_name='__main__')
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


def test_prints_layers_totals_and_the_convention(model_cost):
    code, output, errors = model_cost(DIGITS)
    assert (code, errors) == (0, '')
    assert '| backbone.stem.conv ' in output
    assert '| total ' in output
    assert 'in total, 8 x 8 px: ' in output
    assert 'OPs = FLOPs + BOPs / 64' in output


def test_json_is_plain_data_at_the_size_asked_for(model_cost):
    code, output, _ = model_cost(DIGITS, '--json', '--input', '16')
    report = json.loads(output)
    assert (code, report['input_size']) == (0, 16)
    assert report['layers'][0] == dict(
        name='backbone.stem.conv',
        kind='real',
        flops=16 * 16 * 16 * 27,
        bops=0,
        ops=16 * 16 * 16 * 27,
        parameters=432,
        bytes_32_bit=1728,
        bytes_packed=1728,
    )
    assert report['total']['ops'] == sum(layer['ops'] for layer in report['layers'])
    assert report['convention']


@pytest.mark.parametrize(
    ('text', 'options', 'message'),
    [
        (None, (), 'no config'),
        ('work_dir = "x"\n', (), 'has no model'),
        ('model = dict(type="Encoder", backbone=dict(type="ReActNet"))\n', (), 'no size of images'),
        (
            'model = dict(type="Encoder", backbone=dict(type="ReActNet"))\n',
            ('--input', '12'),
            'too small for this plan',
        ),
        (
            'model = dict(type="Encoder", backbone=dict(type="ResNet", widths=4))\n',
            ('--input', '64'),
            'widths is 4; it must be Sequence[int]',
        ),
        ('model = dict(type="Encoder", backbone=5)\n', (), 'names no backbone'),
        ('model = 5\n', (), 'model is 5; it must be dict'),
    ],
)
def test_bad_input_is_one_sentence(model_cost, tmp_path, text, options, message):
    if text is not None:
        (tmp_path / 'config.py').write_text(text)
    code, output, errors = model_cost(str(tmp_path / 'config.py'), *options)
    assert (code, output) == (1, '')
    assert errors.startswith('error: ')
    assert message in errors
    assert errors.count('\n') == 1
