"""The benchmarks' own arithmetic, and that each of them runs; what they measure is no matter of tests."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from contracts.small import BURN
from made_up_photos import make_photos, noise
from mmengine.config import Config, ConfigDict
from PIL import Image
from torch import nn

from binssl.algorithms import MomentumTeacher
from binssl.engine import load_config
from binssl.registry import ConfigError

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
    ('start', 'end', 'met'), [(0.1, 0.12, True), (0.29, 0.29, True), (0.31, 0.1, False), (0.2, 0.25, False)]
)
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


@pytest.fixture(scope='module')
def contrast() -> ModuleType:
    return script('speed/contrastive_loss')


@pytest.fixture(scope='module')
def momentum() -> ModuleType:
    return script('speed/momentum_update')


def run(main: Callable[[list[str]], int], arguments: str, out: Path) -> dict:
    """What a script measures with ``arguments``; the number of threads is as it was."""
    threads = torch.get_num_threads()
    try:
        code = main([*arguments.split(), '--out', str(out)])
    finally:
        torch.set_num_threads(threads)
    figures = json.loads(out.read_text())
    assert code == (0 if figures['met'] else 1)
    return figures


def test_peak_is_of_what_lives_at_one_time(contrast: ModuleType) -> None:
    held = torch.ones(1000)

    def one_after_the_other() -> torch.Tensor:
        first = torch.empty(250_000)
        second = torch.empty(250_000)
        del first
        return torch.empty(250_000) + second.sum() + held.sum()

    # at the end: the second, the third and their sum
    assert contrast.peak_bytes(one_after_the_other) == pytest.approx(3e6, rel=1e-3)


def test_contrastive_loss_is_measured(contrast: ModuleType, tmp_path: Path) -> None:
    figures = run(contrast.main, '--batch 8 --channels 16 --length 5000 --repeats 2', tmp_path / 'loss.json')
    assert figures['ours']['peak_mb'] < figures['published']['peak_mb']
    assert figures['speed'] == pytest.approx(figures['published']['process_ms'] / figures['ours']['process_ms'])


def test_published_formula_is_that_of_the_paper(contrast: ModuleType) -> None:
    query, key = torch.eye(2, 3), torch.tensor([[0.6, 0.8, 0.0], [0.0, 1.0, 0.0]])
    queue = torch.eye(3).repeat(2, 1)
    terms = []
    for q, k in zip(query, key, strict=True):
        scores = [math.exp(float(q @ other) / 0.2) for other in [k, *queue]]
        terms.append(-math.log(scores[0] / sum(scores)))
    answer = contrast.published(query, key, queue.t())
    assert answer['loss'].item() == pytest.approx(sum(terms) / 2, rel=1e-5)
    assert answer['top5'].item() == 100


def test_momentum_update_is_measured(momentum: ModuleType, tmp_path: Path) -> None:
    figures = run(momentum.main, '--depth 18 --batch 2 --size 32 --repeats 1', tmp_path / 'update.json')
    for situation in ('alone', 'after a training iteration'):
        assert set(figures[situation]) == {'published loop', 'MomentumTeacher', 'two flat buffers'}
        assert all(clocks['wall'] > 0 for clocks in figures[situation].values())


def test_published_update_is_the_teachers(momentum: ModuleType) -> None:
    student = nn.Linear(3, 2)
    teacher = MomentumTeacher(student, momentum.Pool(), None, momentum.MOMENTUM)
    follower = copy.deepcopy(teacher.backbone)
    with torch.no_grad():
        student.weight.add_(1)
    teacher.update()
    momentum.published_update(student, follower)
    for ours, theirs in zip(teacher.parameters(), follower.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('views', [1, 2])
def test_cifar_loader_is_measured(views: int, tmp_path: Path) -> None:
    loader = script('speed/cifar_loader')
    figures = run(loader.main, f'--images 48 --batch 8 --repeats 5 --views {views}', tmp_path / 'loader.json')
    usual, ours = (figures[name]['process'] for name in ('one PIL image at a time', 'a batch at a time'))
    assert figures['speed'] == pytest.approx(usual / ours)


@pytest.mark.parametrize('views', [1, 2])
def test_cifar_loaders_load_alike(views: int) -> None:
    usual, ours = script('speed/cifar_loader').build_loaders(20, 8, views).values()
    for (images, labels), batch in zip(usual, ours, strict=True):
        assert len(images) == len(batch['images']) == views
        for view, own in zip(images, batch['images'], strict=True):
            assert view.shape == own.shape
            assert view.dtype == own.dtype == torch.uint8
        assert torch.equal(labels, batch['labels'])


@pytest.fixture(scope='module')
def photos() -> ModuleType:
    return script('speed/image_loader')


def test_noise_has_the_spectrum_of_its_exponent() -> None:
    height, width = 96, 128
    field = noise(np.random.RandomState(0), height, width, 1.2)
    amplitude = np.abs(np.fft.rfft2(field))[1:40, 1:40].ravel()
    frequency = np.hypot(np.fft.fftfreq(height)[1:40, None], np.fft.rfftfreq(width)[1:40]).ravel()
    slope, _ = np.polyfit(np.log(frequency), np.log(amplitude), 1)
    assert slope == pytest.approx(-1.2, abs=0.1)
    assert (field.mean(), field.std()) == pytest.approx((0, 1))


def test_made_up_photos_have_the_bytes_and_pixels_of_photos(tmp_path: Path) -> None:
    files = list(make_photos(tmp_path, 8).glob('*/*'))
    assert sum(file.stat().st_size for file in files) / len(files) == pytest.approx(88e3, rel=0.15)
    for file in files:
        with Image.open(file) as image:
            assert (image.format, image.mode) == ('JPEG', 'RGB')
            assert image.width * image.height == pytest.approx(500 * 375, rel=0.15)


def test_loading_speed_is_the_median_of_the_rounds_ratios(photos: ModuleType) -> None:
    ours, published, floor = (
        [dict(process=rate) for rate in rates] for rates in [(30, 80, 50), (10, 20, 10), (60, 100, 200)]
    )
    figures = photos.summary(ours, published, floor, 'process')
    # ratios 3, 4, 5; shares 0.5, 0.8, 0.25
    assert figures == pytest.approx(dict(rate=50, low=3.5, speed=4, high=4.5, share_of_floor=0.5))


def test_image_loaders_load_the_same_photos(photos: ModuleType, tmp_path: Path) -> None:
    folder = make_photos(tmp_path, 4)
    ways = photos.build_ways(folder, folder, list(photos.VARIANTS), batch=2, workers=0)
    for batches in zip(*(way.loader for way in ways.values()), strict=True):
        assert len({tuple(batch['indices'].tolist()) for batch in batches}) == 1
        for name, batch in zip(ways, batches, strict=True):
            if name not in photos.FLOORS.values():
                assert [view.shape for view in batch['images']] == [(2, 3, 224, 224)] * 2
                assert batch['images'][0].dtype == (torch.float32 if name == photos.PUBLISHED else torch.uint8)


def test_image_loader_is_measured(photos: ModuleType, tmp_path: Path) -> None:
    figures = run(photos.main, '--images 4 --batch 2 --workers 0 --repeats 2', tmp_path / 'photos.json')
    for name in photos.VARIANTS:
        assert figures[name]['process']['rate'] > 0
        assert figures[name]['batch_mb'] == pytest.approx(2 * 2 * 3 * 224**2 / 1e6)
    assert figures['met'] == all(figures[name]['process']['speed'] >= v.target for name, v in photos.VARIANTS.items())


@pytest.fixture(scope='module')
def watching() -> ModuleType:
    return script('speed/watching')


def test_cost_of_watching_is_spread_over_the_interval(watching: ModuleType) -> None:
    # plain 10, looking adds 3, a call takes 0.1: (3 + 4 x 0.1) / (5 x 10)
    figures = watching.summary([(10.0, 13.0), (9.0, 12.5), (11.0, 13.0)], [0.0, 0.2], interval=5)
    assert figures == pytest.approx(dict(plain_ms=10, looking_ms=3, calls_ms=0.1, share=0.068))


def test_watching_is_measured_with_all_hooks_looking(watching: ModuleType, tmp_path: Path) -> None:
    figures = run(watching.main, '--networks digits --batch 2 --repeats 2', tmp_path / 'watching.json')
    for clock in ('wall', 'process'):
        assert figures['digits'][clock]['plain_ms'] > figures['digits'][clock]['calls_ms'] > 0
    training = watching.Training(**dict(watching.NETWORKS['digits'], batch=2), device='cpu')
    hooks = watching.build_hooks(training.runner, 1)
    training.iterate(hooks)
    assert [bool(hook.values) for hook in hooks[:3]] == [True] * 3


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


@pytest.fixture(scope='module')
def methods_table() -> ModuleType:
    return script('digits/table')


def test_table_of_methods_replaces_the_one_before(methods_table):
    begin, end = '<!-- selfsup_table -->', '<!-- end of selfsup_table -->'
    text = f'# Results\n\n{begin}\nold\n{end}\n\nmore\n'
    assert methods_table.with_section(text, 'selfsup', 'new') == f'# Results\n\n{begin}\nnew\n{end}\n\nmore\n'
    with pytest.raises(ConfigError, match='supervised_table --> to put the table between'):
        methods_table.with_section(text, 'supervised', 'new')


def test_table_of_label_free_methods_says_what_does_not_hold(methods_table):
    scores = {
        'random binary': (40.0, 50.0),
        'MoCo v2, tuned': (50.0, 60.0),
        '+ distillation': (54.9, 54.9),
        'distillation only': (90.0, 90.0),
        'BURN': (90.0, 90.0),
        'SwAV': (10.0, 10.0),
    }
    records = {row: [dict(linear_top1=score) for score in both] for row, both in scores.items()}
    checks = methods_table.selfsup_verdicts(records, ('seed0/burn', 61.0))
    assert list(checks.values()) == [True, False, True, True, False]
    assert '+ distillation: +9.9 points over random' in checks


def test_table_of_classifiers_says_what_does_not_hold(methods_table):
    binary = dict(zip(methods_table.TWINS, [(90.1, 90.1), (89.0, 90.0), (92.0, 93.0), (99.0, 99.0)], strict=True))
    real = dict(zip(methods_table.TWINS.values(), [(95.0,) * 2, (90.0,) * 2, (98.0,) * 2, (98.0,) * 2], strict=True))
    records = {row: [dict(top1=score) for score in both] for row, both in {**binary, **real}.items()}
    checks = methods_table.supervised_verdicts(records)
    assert list(checks.values()) == [True, False, False, True]
    assert 'Bi-Real step by step: 92.5, -5.5 points from its real twin' in checks


@pytest.fixture(scope='module')
def neighbours() -> ModuleType:
    return script('speed/knn')


def test_knn_is_measured_beside_the_whole_matrix(neighbours: ModuleType, tmp_path: Path) -> None:
    arguments = '--banks 300 600 --queries 50 --width 16 --count 20 --repeats 1'
    figures = run(neighbours.main, arguments, tmp_path / 'knn.json')
    assert figures['met']
    for bank in ('300', '600'):
        assert figures['measured'][bank]['same']
        for way in (neighbours.OURS, neighbours.PLAIN, neighbours.USUAL):
            assert figures['measured'][bank][way]['seconds'] > 0
    # 4 bytes a similarity; the answer, 12 bytes a neighbour
    peaks = [figures['measured'][bank][neighbours.USUAL]['peak_bytes'] for bank in ('300', '600')]
    assert peaks == [pytest.approx(4 * 50 * bank + 12 * 50 * 20, rel=0.1) for bank in (300, 600)]


def test_knn_of_imagenet_is_computed(neighbours: ModuleType) -> None:
    one, eight = (neighbours.computed(processes, **neighbours.IMAGENET) for processes in (1, 8))
    assert one['flops'] == 2 * 1_281_167 * 50_000 * 1024 == 8 * eight['flops']
    assert one['feature_bytes'] == 4 * 1024 * 1_331_167
    assert one['sent_bytes'] == 0
    # of 8 processes each holds an eighth of the features and the chunks whole
    assert eight['feature_bytes'] == one['feature_bytes'] / 8
    assert eight['search_bytes'] > 6 * 2**27
    # its queries to 7 others, its lists for 7 eighths of all queries, its facts to 7 others
    assert eight['sent_bytes'] == pytest.approx(7 / 8 * (50_000 * (4 * 1024 + 16 * 200) + 32 * 1_331_167))
