"""BURN's released "linear" evaluation under its published name: fc (1.05 M parameters) learns too, a two-layer probe.

Not comparable with linear evaluation proper, which is burn.py beside this file.
"""

_base_ = ['./burn.py']
model = dict(frozen=['backbone'])
