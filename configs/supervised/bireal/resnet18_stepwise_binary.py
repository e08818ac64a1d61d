"""Bi-Real-18 step by step, 4 of 5, ImageNet (arXiv:1808.00278): both binary.

4 GPUs x 32 = 128 images a step, 20 epochs. 1.378e8 FLOPs, 1.640e8 OPs. Published, after all five: 56.4/79.5
top-1/top-5; here: not yet measured. The gradient of the weights is the paper's, magnitude-aware: clipped, times
mean|w|. The Caffe release does not clip; its solver has 180,000 steps with x0.1 at 100,000 and 140,000 (18, 10 and
14 epochs); here the text's 20, 10 and 15.
"""

_base_ = ['./resnet18_stepwise_clip.py']
model = dict(
    backbone=dict(
        conv_cfg=dict(
            activation=dict(type='ApproxSign'), weight=dict(type='ScaledSign', ste='clip', scale_gradient=True)
        )
    )
)
global_batch_size = 128
optim_wrapper = dict(optimizer=dict(weight_decay=0))
load_from = 'work_dirs/supervised/bireal/resnet18_stepwise_clip/weights.pth'
