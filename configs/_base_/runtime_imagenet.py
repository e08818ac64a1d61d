"""What every run on ImageNet shares; its images keep their few sizes, so cuDNN looks for the fastest kernels."""

_base_ = ['./runtime.py']
env_cfg = dict(cudnn_benchmark=True)
