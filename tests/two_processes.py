"""A function in two processes that reach each other, as those of a training do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def in_two_processes(work: Callable[..., Any], folder: Path, *arguments: Any) -> list[Any]:
    """What ``work(rank, *arguments)``, a module's function, gave in either; torch saves it in ``folder``."""
    torch.multiprocessing.start_processes(
        _work, (work, folder, arguments), nprocs=2, start_method='forkserver'
    )  # its server has the libraries already: see warm_python.py
    return [torch.load(folder / f'rank{rank}.pth') for rank in (0, 1)]


def _work(rank: int, work: Callable[..., Any], folder: Path, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    torch.save(work(rank, *arguments), folder / f'rank{rank}.pth')
    torch.distributed.destroy_process_group()
