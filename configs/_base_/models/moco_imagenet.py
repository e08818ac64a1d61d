"""MoCo v2 (arXiv:2003.04297) on ReActNet-A with binary activations; a child binarises the weights too.

How the configs for ImageNet count, as the papers do, per image of 224 px and with a 1000-way classifier on the trunk:
FLOPs are the multiply-adds of real layers (convolution and linear; nothing else), BOPs those of binary convolutions,
and OPs = FLOPs + BOPs / 64. They are the deployed network's: step 1, with real weights, trains the same
multiply-adds.

    ReActNet-A      0.119e8 FLOPs    4.817e9 BOPs    0.871e8 OPs    (0.872e8 BURN's trunk with fc, no classifier)
    Bi-Real-18      1.378e8          1.676e9         1.640e8
    MobileNetV2     3.008e8
    ResNet-50       4.089e9
"""

_base_ = ['./imagenet.py']
model = dict(
    type='MoCo',
    backbone=dict(type='ReActNet', conv_cfg=dict(type='BinaryConv2d', activation=dict(type='ApproxSign'))),
    head=dict(
        type='ContrastiveHead',
        projector=dict(type='MLP', in_channels=1024, widths=[1024, 128], norm=None),
        temperature=0.2,
    ),
    teacher=dict(type='MomentumTeacher', momentum=0.999),
    queue_length=65536,
)
