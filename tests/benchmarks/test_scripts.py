"""The benchmarks' own arithmetic, and that each of them runs; what they measure is no matter of tests."""

from __future__ import annotations

import importlib.util
import json
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from contracts.small import BURN
from mmengine.config import Config, ConfigDict
from torch import nn

from binssl.engine import load_config

FOLDER = Path(__file__).parents[2] / 'benchmarks'


def script(name: str) -> ModuleType:
    """The module of ``benchmarks/<name>.py``, which is no package."""
    spec = importlib.util.spec_from_file_location(Path(name).name, FOLDER / f'{name}.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def overhead() -> ModuleType:
    return script('speed/runner_overhead')


@pytest.fixture(scope='module')
def gpu_check() -> ModuleType:
    return script('gpu_check')


@pytest.fixture(scope='module')
def memory() -> ModuleType:
    return script('memory/binary_layers')


def test_saved_storages_are_counted_once_and_parameters_not(memory: ModuleType) -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(10))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x.exp()  # kept by exp and by the product: 10 floats; the product keeps the parameter too
            return y * self.weight

    assert memory.saved_bytes(Doubled(), torch.ones(10, requires_grad=True)) == 40


def test_the_published_polynomial_has_the_triangular_derivative(memory: ModuleType) -> None:
    x = torch.tensor([-2.0, -0.75, -0.25, 0.25, 0.75, 2.0], requires_grad=True)
    memory.polynomial(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.5, 1.5, 1.5, 0.5, 0.0]


def test_overhead_is_the_median_of_differences_at_both_ends(overhead: ModuleType) -> None:
    plain, ours = [9.0, 1.0, 1.0, 2.0, 1.0, 1.0], [9.0, 1.2, 1.4, 2.3, 1.5, 1.6]
    times = Namespace(plain_clock=overhead.Clock(plain, plain), runner_clock=overhead.Clock(ours, ours))
    figures = overhead.summary(times, share=2)['wall']
    assert figures['overhead_ms'] == pytest.approx(0.3)
    assert figures['overhead_end_ms'] == pytest.approx(0.55)
    assert figures['runner_ms'] == pytest.approx(1.3)


@pytest.mark.parametrize(
    ('start', 'end', 'met'), [(0.1, 0.12, True), (0.29, 0.29, True), (0.31, 0.1, False), (0.2, 0.25, False)])
def test_overhead_target(overhead: ModuleType, start: float, end: float, met: bool) -> None:
    assert overhead.is_met(dict(overhead_ms=start, overhead_end_ms=end)) == met


def test_overhead_is_measured(overhead: ModuleType, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        out = tmp_path / 'overhead.json'
        overhead.main(['--iterations', '40', '--window', '10', '--share', '2', '--out', str(out)])
    finally:
        torch.set_num_threads(threads)
    figures = json.loads(out.read_text())
    assert figures['process']['runner_ms'] > figures['process']['plain_ms'] > 0


def test_gpu_check_trains_and_resumes_stage_2(
    gpu_check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_a_small_model(path: Path, options: dict) -> Config:
        cfg = load_config(path, options)
        cfg.model = ConfigDict(BURN)
        return cfg

    monkeypatch.setattr(gpu_check, 'load_config', with_a_small_model)
    result = gpu_check.check_large(gpu_check.parse(['--device', 'cpu', '--tiny']), tmp_path, 'bf16')
    assert result.passed, result.figures
    assert result.figures['iterations'] == 4
    assert result.figures['resume_apart'] < 1e-6


def test_gpu_check_goes_on_after_a_failure_and_names_it(gpu_check: ModuleType) -> None:
    def broken() -> None:
        raise RuntimeError('out of memory')

    result = gpu_check.look('a check', broken)
    assert result.verdict == 'FAILED'
    assert 'out of memory' in gpu_check.table([result])


def test_gpu_check_writes_into_out(gpu_check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OUT', str(tmp_path))
    assert gpu_check.parse([]).out == tmp_path / 'gpu_check.json'
    assert gpu_check.parse(['--out', 'other.json']).out == Path('other.json')
