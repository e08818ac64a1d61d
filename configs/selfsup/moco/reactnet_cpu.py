"""The former name of reactnet_fast_views.py."""

_base_ = ['./reactnet_fast_views.py']
