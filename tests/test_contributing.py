"""The examples of CONTRIBUTING.md, run as they stand there."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from binssl.binary import build_gradient
from binssl.checkpoints import TRUNK, extract_weights
from binssl.engine import testing
from binssl.engine.training import parse_training, train
from binssl.recipes.evaluate import make_plan, parse_evaluation
from binssl.registry import BINARIZERS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
FILES = dict(re.findall(r'```python\n# (\w+\.py)\n(.*?)```', TEXT, re.DOTALL))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples, the configs beside them."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding='utf-8')
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def trained(config: str, epochs: int, *options: str) -> str:
    """The checkpoint of a training of so many epochs."""
    train(parse_training([config, '--device', 'cpu', '--cfg-options', f'train_cfg.max_epochs={epochs}', *options]))
    return f'work_dirs/{config.removesuffix(".py")}/latest.pth'


def metrics(config: str, checkpoint: str) -> dict[str, Any]:
    """What ``tools/test.py`` gives."""
    testing.test(testing.parse_testing([config, checkpoint, '--out', 'numbers.json']))
    return json.loads(Path('numbers.json').read_text())['metrics']


def test_every_python_block_is_one_of_the_files() -> None:
    assert TEXT.count('```python') == len(FILES) == 11


def test_algorithm() -> None:
    checkpoint = trained('alignment_digits.py', 2)
    extract_weights(checkpoint, 'alignment.pth', TRUNK)
    assert metrics('configs/benchmarks/features/digits.py', 'alignment.pth')['linear_top1'] > 30
    import alignment  # type: ignore[import-not-found]  # written by the fixture

    one, other = torch.nn.functional.normalize(torch.randn(2, 5, 3, dtype=torch.float64), dim=2)
    near = sum(float((x - y) @ (x - y)) for x, y in zip(one, other, strict=True)) / 5
    pairs = [(i, j) for i in range(5) for j in range(i)]
    far = math.log(sum(math.exp(-2 * float((one[i] - one[j]) @ (one[i] - one[j]))) for i, j in pairs) / len(pairs))
    assert float(alignment.alignment(one, other)) == pytest.approx(near, rel=1e-12)
    assert float(alignment.uniformity(one)) == pytest.approx(far, rel=1e-12)


def test_pseudo_gradient() -> None:
    trained('swish_digits.py', 2)
    gradient = build_gradient(dict(type='SwishGradient', sharpness=3.0))
    x = torch.linspace(-2, 2, 41, dtype=torch.float64, requires_grad=True)
    swish = 2 * torch.sigmoid(3 * x) * (1 + 3 * x * (1 - torch.sigmoid(3 * x))) - 1
    (slope,) = torch.autograd.grad(swish.sum(), x)
    torch.testing.assert_close(gradient.pull_back(torch.ones_like(x), x.detach()), slope, rtol=1e-12, atol=1e-12)


def test_binarizer() -> None:
    trained('layer_scale_digits.py', 1)
    weight = torch.randn(3, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    numbers, y = weight.flatten().tolist(), BINARIZERS.build(dict(type='LayerScaledSign'))(weight)
    scale = sum(abs(number) for number in numbers) / 24
    assert y.flatten().tolist() == pytest.approx([math.copysign(scale, number) for number in numbers], rel=1e-12)
    (slope,) = torch.autograd.grad(y.sum(), weight)
    assert slope.flatten().tolist() == [float(abs(number) <= 1) for number in numbers]


def test_data_set() -> None:
    assert metrics('shapes_digits.py', trained('shapes_digits.py', 6))['top1'] > 90


def test_task(weights: Path) -> None:
    assert 0 <= metrics('class_mean_digits.py', str(weights))['class_mean_top1'] <= 100
    planned = make_plan(parse_evaluation([str(weights), '--suite', 'class_mean_suite.py']))
    assert [entry.obstacle for entry in planned] == ['', '']
    assert [entry.task.name for entry in planned] == ['class_mean', 'knn']
