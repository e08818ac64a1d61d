"""What is wrong with a data set on disk."""

from binssl.registry import ConfigError


class DataError(ConfigError):
    """Data that a config names are missing, malformed or unreadable.

    torch builds an error of a loader's worker again with the worker's traceback as its message; of that, only the
    message that the worker gave is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f'{__name__}.{type(self).__name__}: ')[2].rstrip())
