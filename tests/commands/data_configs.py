"""Configs of nothing but data, for the tools that look at data."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_config(folder: Path, **sections: Any) -> str:
    (folder / 'config.py').write_text('\n'.join(f'{key} = {value!r}' for key, value in sections.items()))
    return str(folder / 'config.py')


def loader(dataset: dict) -> dict:
    return dict(batch_size=4, sampler=dict(type='EpochSampler'), collate_fn=dict(type='whole_batch'), dataset=dataset)
