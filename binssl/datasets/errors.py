"""What is wrong with a data set on disk."""

from binssl.registry import ConfigError


class DataError(ConfigError):
    """Data that a config names are missing, malformed or unreadable."""
