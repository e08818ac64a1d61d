"""S2-BNN, contrastive and distillation 1 : 1, step 1, ImageNet: ReActNet-A, binary activations, real weights.

8 GPUs x 32 = 256 images a step, 200 epochs, two views; distillation on view 0. 0.119e8 FLOPs, 0.871e8 OPs once
binary. Published, after step 2: 56.022/79.168 linear top-1/top-5; here: not yet measured. Both losses read one
projector's output.
"""

_base_ = [
    '../../_base_/datasets/imagenet_two_views_s2bnn.py',
    '../../_base_/models/s2bnn_imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/s2bnn_imagenet.py',
]
model = dict(
    head=dict(contrastive_temperature=0.2),
    momentum_teacher=dict(type='MomentumTeacher', momentum=0.999),
    queue_length=65536,
    distillation_weight=1.0,
)
