"""What several tests of downstream tasks evaluate."""

from __future__ import annotations

from pathlib import Path

import pytest

from binssl.engine.initial_weights import write_initial_weights

SMALL = """
model = dict(
    type='Encoder',
    data_preprocessor=dict(type='ImageNormalizer', mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(type='TorchvisionResNet', depth=18, stem='small', widths=[16, 32], depths=[1, 1]),
)
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small real network as it is initialised."""
    (tmp_path / 'small.py').write_text(SMALL)
    write_initial_weights(tmp_path / 'small.py', tmp_path / 'weights.pth')
    return tmp_path / 'weights.pth'
