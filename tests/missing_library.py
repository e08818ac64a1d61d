"""An installation that lacks a library."""

from __future__ import annotations

import builtins

import pytest


def hide(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Let every import of ``library``, or of what is in it, fail as if it were not installed."""
    installed = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name.split('.')[0] == library:
            raise ImportError(name)
        return installed(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, '__import__', refuse)
