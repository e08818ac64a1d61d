"""configs/README.md is what its command makes of the heads, and the heads say what was measured."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from binssl.engine.config_index import config_index, number_in, stands_for
from binssl.recipes.recipe import read_recipe

ROOT = Path(__file__).parents[2]


def head(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ''


def test_the_list_is_up_to_date() -> None:
    assert (ROOT / 'configs/README.md').read_text() == config_index(ROOT / 'configs'), (
        'run python tools/list_configs.py'
    )


@pytest.mark.parametrize(
    ('text', 'published', 'here'),
    [
        ('A net.\n\nPublished (its paper): 61.5/83.5 top-1/top-5 (a; b); here: not\nyet measured. More.', 0, 1),
        ('A net. Published, after step 2: 61.5/83.5 top-1/top-5. Here: not yet measured.', 2, 1),
        ('A net, better here, as said: no number. Published are the epochs.', 3, 3),
    ],
)
def test_numbers_are_read_from_heads(text: str, published: int, here: int) -> None:
    said = ['61.5/83.5 top-1/top-5', 'not yet measured', '61.5/83.5 top-1/top-5, after step 2', '']
    assert (number_in(text, 'published'), number_in(text, 'here')) == (said[published], said[here])


def test_an_alias_holds_its_base_alone() -> None:
    other = '"""Old name of a.py."""\n_base_ = [\'./a.py\']\n'
    assert stands_for(ast.parse(other)) == 'a.py'
    assert stands_for(ast.parse(other + 'load_from = None\n')) is None
    assert stands_for(ast.parse(other.replace('./', '../'))) is None


def test_what_trains_says_what_came_out_here() -> None:
    for folder in ('selfsup', 'supervised', 'recipes'):
        for path in (ROOT / 'configs' / folder).rglob('*.py'):
            said = stands_for(ast.parse(path.read_text())) or number_in(head(path), 'here')
            assert said, f"{path}: the docstring has no 'Here: NUMBERS.', or 'Here: not yet measured.'"


@pytest.mark.parametrize('methods', ['selfsup', 'supervised'])
def test_heads_and_tables_of_the_digits_agree(methods: str) -> None:
    recipe = read_recipe(ROOT / f'configs/recipes/{methods}_digits.py')
    table = (ROOT / 'benchmarks/RESULTS.md').read_text().split(f'<!-- {methods}_table -->')[1].split('<!--')[0]
    rows = [[cell.strip() for cell in line.split('|')[1:3]] for line in table.splitlines() if line.startswith('|')]
    measured = {name: value.split(' (')[0] for name, value in rows[2:]}
    assert measured.keys() <= recipe.rows.keys()
    for name, value in measured.items():
        step = recipe.steps[recipe.rows[name]]
        if not step.options:  # else the table's is not the config's own run
            assert number_in(head(ROOT / step.config), 'here').startswith(f'{value} '), step.config
