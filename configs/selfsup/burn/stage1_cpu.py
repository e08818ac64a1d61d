"""The former name of stage1_fast_views.py."""

_base_ = ['./stage1_fast_views.py']
