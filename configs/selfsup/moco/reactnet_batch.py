"""The former name of reactnet_device_views.py."""

_base_ = ['./reactnet_device_views.py']
