"""Shared ground: files, locks, processes, counters of randomness, tables."""
