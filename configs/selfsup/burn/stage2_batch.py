"""The former name of stage2_device_views.py."""

_base_ = ['./stage2_device_views.py']
