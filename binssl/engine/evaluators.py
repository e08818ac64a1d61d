"""What a config scores by."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config


def metric_config(cfg: Config, section: str, name: str) -> dict[str, Any] | None:
    """The config of the first metric called ``name`` in ``section``, one metric or a list of them; None without one."""
    listed = cfg.get(section) or []
    metrics = listed if isinstance(listed, (list, tuple)) else [listed]
    return next((dict(metric) for metric in metrics if metric.get('type') == name), None)
