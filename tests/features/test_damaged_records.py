"""Records of kept work, damaged in many ways: made again, or one sentence that says which file and what to do."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from binssl.datasets import CachedFeatures
from binssl.features.folder import FeatureFolder
from binssl.features.svm_results import Results
from binssl.recipes.job import Job
from binssl.recipes.report import read_curves
from binssl.registry import ConfigError, DataError

FACTS = dict(
    weights='w', data='d', views=[], pool='mean', layers={'neck': 3}, files={'neck.npy': 'n', 'labels.npy': 'l'}
)
FACTS |= dict(num_classes=2, classes=['a', 'b'])
BEGUN = dict(fingerprint={'seed': 0}, started=1.0, seconds_before=0.0)
DONE = dict(fingerprint={'seed': 0}, outputs={'weights.pth': 'o'}, seconds=3.0, commit='c', commands=['x'])
RESULTS = dict(metrics={'top1': 90.0})


def damages(record: dict[str, Any]) -> dict[str, bytes]:
    """What may become of a record; every key of it counts."""
    others = ([[[]]], {'x': {}}, 'text', True, float('nan'), 1e300, 10**40)
    wrong = {
        f'{key}: {other!r:.9}': json.dumps({**record, key: other}).encode()
        for key, value in record.items()
        for other in others
        if not isinstance(value, str) or not isinstance(other, str)
    }
    lacking = {f'no {key}': json.dumps({k: v for k, v in record.items() if k != key}).encode() for key in record}
    torn = {'empty': b'', 'zeros': bytes(99), 'torn': json.dumps(record).encode()[:-7], 'no text': b'\xff\xfe' * 40}
    return {
        **torn,
        **wrong,
        **lacking,
        'deep': b'[' * 100_000,
        'a list': b'[1]',
        'digits': b'{"a":' + b'1' * 9999 + b'}',
    }


def damaged(record: dict[str, Any], *but: str) -> Any:
    every = damages({key: value for key, value in record.items() if key not in but})
    return pytest.mark.parametrize('content', every.values(), ids=every)


@damaged(FACTS)
def test_features(tmp_path: Path, content: bytes) -> None:
    np.save(tmp_path / 'neck.npy', np.zeros((2, 3), np.float32))
    np.save(tmp_path / 'labels.npy', np.arange(2))
    (tmp_path / 'features.json').write_text(json.dumps(FACTS))
    assert FeatureFolder.open(tmp_path).layer('neck').shape == (2, 3)
    assert len(CachedFeatures(tmp_path)) == 2
    (tmp_path / 'features.json').write_bytes(content)
    if b'"views": {"x"' not in content and b'"views": [[[' not in content:  # of any kind: they are only compared
        with pytest.raises(ConfigError, match=r'features\.json is damaged: remove the folder .*made again'):
            FeatureFolder.open(tmp_path)
    with suppress(DataError):  # what it does not need may be damaged
        CachedFeatures(tmp_path)


def job(folder: Path) -> Job:
    made = Job(SimpleNamespace(name='teacher', output='results.json', inputs={}, files={}), 0, folder)  # type: ignore[arg-type]
    made.folder.mkdir(parents=True)
    return made


@damaged(BEGUN, 'fingerprint')
def test_a_step_that_was_begun(tmp_path: Path, content: bytes) -> None:
    step = job(tmp_path)
    (step.folder / 'step.json').write_text(json.dumps(BEGUN))
    assert step.begun == BEGUN
    (step.folder / 'step.json').write_bytes(content)
    assert step.begun == {}


@damaged(DONE, 'commit', 'fingerprint', 'outputs')
def test_a_step_that_was_done(tmp_path: Path, content: bytes) -> None:
    step = job(tmp_path)
    (step.folder / 'done.json').write_text(json.dumps(DONE))
    assert step.record == DONE
    (step.folder / 'done.json').write_bytes(content)
    assert step.record == {}


@damaged(RESULTS)
def test_the_numbers_of_a_test(tmp_path: Path, content: bytes) -> None:
    step = job(tmp_path)
    step.output.write_text(json.dumps(RESULTS))
    assert step.metrics == dict(top1=90.0)
    step.output.write_bytes(content)
    with pytest.raises(ConfigError, match=r'results\.json is damaged: remove'):
        _ = step.metrics


@damaged(dict(source='s', record={'map': 1.0}, sha256='h'))
def test_a_result_of_svms(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Results, '_key', lambda *_: 's')
    results = Results(tmp_path, None, ())  # type: ignore[arg-type]
    results.keep('neck', 'all', {'map': 1.0})
    assert results.find('neck', 'all') == {'map': 1.0}
    file = results._file('neck', 'all')
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, 'record': {'map': 2.0}}))
    assert results.find('neck', 'all') is None
    file.write_bytes(content)
    assert results.find('neck', 'all') is None


@damaged(dict(step=2, loss=1.0))
def test_a_line_of_a_log(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / '2020' / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    lines = [json.dumps(dict(step=step, loss=float(step), epoch=step)).encode() for step in (1, 3)]
    file.write_bytes(b'\n'.join([lines[0], content, lines[1]]))
    assert {point for point in read_curves(tmp_path)['loss'] if point[0] != 2} == {(1.0, 1.0), (3.0, 3.0)}
