"""binssl: train 1-bit neural networks, with and without labels, from Python config files."""

from typing import Any

__version__ = '0.1.0'
__all__ = ['load_model']


def __getattr__(name: str) -> Any:
    """``binssl.load_model``, imported when it is asked for: torch and mmengine take seconds."""
    if name == 'load_model':
        from binssl.checkpoints import load_model

        return load_model
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
