"""The table and the picture of a recipe."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from binssl.core.tables import markdown, summarise
from binssl.recipes.report import draw_report, table, write_tables
from binssl.registry import ConfigError

RECORD = dict(linear_top1=90.04, knn_top1=80.0, few_shot_top1=55.55, seconds=61.4)
RECORDS = {'binary': [RECORD, dict(RECORD, linear_top1=92.0)], 'real': [RECORD, RECORD]}


def test_several_seeds_are_mean_lowest_and_highest():
    assert summarise([90.04], '.1f') == '90.0'
    assert summarise([1.0, 2.0, 6.0], '.1f') == '3.0 (1.0..6.0)'


def test_table_has_a_row_for_each_network():
    assert table(RECORDS)[1] == ['binary', '91.0 (90.0..92.0)', '80.0 (80.0..80.0)', '55.5 (55.5..55.5)', '61 (61..61)']


def test_columns_are_those_that_every_row_has():
    records = dict(RECORDS, other=[dict(top1=62.0, top5=84.0, seconds=1.0, linear_top1=1.0)])
    assert table(records)[0] == ['', 'linear', 'seconds']
    assert table({'ImageNet': records['other']})[1] == ['ImageNet', '1.0', '62.0', '84.0', '1']


def test_markdown_columns_line_up():
    lines = markdown([['', 'linear'], ['raw pixels', '9.0']]).splitlines()
    assert lines == ['|            | linear |', '| ---------- | -----: |', '| raw pixels |    9.0 |']


def test_files_hold_the_printed_table_and_every_number(tmp_path):
    text = write_tables('BURN', RECORDS, tmp_path)
    assert (tmp_path / 'table.md').read_text() == text + '\n'
    assert 'Mean of 2 seeds (lowest..highest).' in text
    assert json.loads((tmp_path / 'table.json').read_text())['rows'] == RECORDS


def test_picture_is_drawn(tmp_path):
    pytest.importorskip('matplotlib')
    pytest.importorskip('sklearn')
    points = [(epoch, 1 / (1 + epoch)) for epoch in range(3)]
    run = dict.fromkeys(('loss', 'kl', 'feature_distance', 'kl_weight', 'information'), points)
    features = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    path = draw_report({'stage 1': run, 'stage 2': run}, features, torch.arange(40) % 10, tmp_path / 'picture.png')
    assert path.read_bytes().startswith(b'\x89PNG')


def test_missing_matplotlib_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    with pytest.raises(ConfigError, match=r'pip install "binssl\[plots\]"'):
        draw_report({}, torch.zeros(4, 2), torch.zeros(4), tmp_path / 'picture.png')
