"""What every run of these tests does faster than a run elsewhere."""

import mmengine.config.config
import pytest


@pytest.fixture(autouse=True)
def unformatted_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine lays out the text of a config three times a run by yapf, a second in all; nobody reads it here."""
    monkeypatch.setattr(mmengine.config.config, 'FormatCode', lambda text, **style: (text, True))
