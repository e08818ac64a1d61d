"""The memory that a function takes on a CPU: for the benchmarks beside this file."""

from __future__ import annotations

from collections.abc import Callable

from torch.autograd.profiler import profile


def peak_bytes(run: Callable[[], object]) -> int:
    """The most that ``run`` holds at any moment of what it allocates itself by torch."""
    with profile(profile_memory=True) as profiler:
        answer = run()
    del answer
    requests = [event for event in profiler.kineto_results.events() if event.name() == '[memory]']
    live = peak = 0
    for event in sorted(requests, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak
