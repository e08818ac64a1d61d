"""binssl: train 1-bit neural networks, with and without labels, from Python config files."""

__version__ = '0.1.0'
