"""The benchmark of a start compares ways that find the same images."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from binssl.datasets import index_cache

SCRIPT = Path(__file__).parents[2] / 'benchmarks/speed/index_start.py'


@pytest.fixture(scope='module')
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_ways_find_the_same_and_are_measured(start: ModuleType, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(index_cache, 'SETTLED_SECONDS', 0.0)
    monkeypatch.setattr(index_cache, 'LEAST_IMAGES', 1)
    start.make_files(tmp_path, 60, 3)
    compared = start.ways(tmp_path)
    found = {name: find() for name, find in compared.items()}
    expected = sorted(found.pop("torchvision's ImageFolder"))
    assert len(expected) == 60
    for name, index in found.items():
        assert sorted((index.path(i), int(index.labels[i])) for i in range(len(index))) == expected, name
    rows = start.measure(compared, repeats=1)
    assert rows.keys() == compared.keys()
    assert all(value >= 0 for row in rows.values() for value in row.values())
