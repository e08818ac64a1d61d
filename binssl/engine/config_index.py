"""The index of all configs: what the head of each says, its data and epochs, as tables in Markdown."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from mmengine.config import Config

from binssl.engine.config import load_config

INTRODUCTION = """# All configs

Made by `python tools/list_configs.py` from the heads of the files, which say more. Published: what the papers report;
here: what binssl gave; both are empty for a task, whose number depends on the weights that it is given.
"""
COLUMNS = ('config', 'what', 'data', 'epochs', 'published', 'here')


def config_index(configs: Path) -> str:
    """The text of ``configs/README.md``: a table for each folder, without the parts in ``_base_``."""
    paths = [path for path in configs.rglob('*.py') if '_base_' not in path.parts]
    folders = groupby(sorted(paths, key=lambda path: (path.parent, path)), key=lambda path: path.parent)
    text = INTRODUCTION
    for folder, files in folders:
        rows = [COLUMNS, ['---'] * len(COLUMNS), *(_cells(path, configs) for path in files)]
        text += f'\n## {folder.relative_to(configs)}\n\n{"".join(map(_line, rows))}'
    return text


def stands_for(module: ast.Module) -> str | None:
    """The config that an alias is another name of: a file of nothing but a head and ``_base_ = ['./NAME.py']``."""
    code = [ast.unparse(statement) for statement in module.body[1:]]
    alone = re.fullmatch(r"_base_ = \['\./(\w+\.py)'\]", code[0]) if len(code) == 1 else None
    return alone[1] if alone else None


def number_in(head: str, name: str) -> str:
    """What a head says after ``name:`` or ``name, after so many steps:``, without what stands in brackets."""
    text = re.sub(r' \([^()]*\)', '', ' '.join(head.split()))
    found = re.search(rf'\b{name}(, after [^:.]*)?: (.+?)(?:; here\b|\.(?= |$))', text, re.IGNORECASE)
    return found[2] + (found[1] or '') if found else ''


def _cells(path: Path, configs: Path) -> list[str]:
    module = ast.parse(path.read_text())
    head, other = ast.get_docstring(module) or '', stands_for(module)
    link = f'[{path.name}]({path.relative_to(configs).as_posix()})'
    if other:
        return [link, f'another name of {other}', '', '', '', '']
    plan = {'recipes', 'suites'} & set(path.parts)  # of other configs, and no config itself
    cfg = Config() if plan else load_config(path)
    epochs = str((cfg.get('train_cfg') or {}).get('max_epochs', ''))
    return [link, head.partition('\n')[0], _data_of(cfg), epochs, number_in(head, 'published'), number_in(head, 'here')]


def _data_of(cfg: Config) -> str:
    """The type of the first data set that a config reads."""
    data: Mapping = cfg.get('train_dataloader') or cfg.get('val_dataloader') or cfg.get('test_dataloader') or {}
    while inner := data.get('dataset') or data.get('bank'):
        data = inner
    return str(data.get('type', ''))


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cell.replace("|", chr(92) + "|") for cell in cells)} |\n'
