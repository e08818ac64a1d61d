"""The former name of stage2_fast_views.py."""

_base_ = ['./stage2_fast_views.py']
