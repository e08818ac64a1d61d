"""The former name of stage1_device_views.py."""

_base_ = ['./stage1_device_views.py']
