"""BYOL on binary ReActNet-A, ImageNet, as BURN's release has it (`swav_reactnet_400_amp_queue_at_10_imgnet_full.py`).

8 GPUs x 128 x 8 = 8192 images a step (its comment says 4096, for which its rate of 4.8 is), 600 epochs. 0.119e8 FLOPs,
0.871e8 OPs. Here: not yet measured. Unlike in reactnet.py, the paper's, BatchNorm is synchronised in projector and
predictor alone, over 128 images elsewhere; LARS adapts and decays PReLU's slopes too, and the gains of a wider block's
two 1x1 branches; convolutions start by fan in, the projector by Kaiming's rule, the predictor in N(0, 0.01^2); signs
and their gradients are BURN's. Where ours parts from it: its LARS takes the rate into the momentum, timm's multiplies
after it; and its hook would stop at a setting that its BYOL has not.
"""

_base_ = ['./reactnet.py']
model = dict(
    backbone=dict(
        init='kaiming_fan_in',
        conv_cfg=dict(
            type='BinaryConv2d',
            activation=dict(type='BoxSign'),
            weight=dict(type='ScaledSign', ste='identity', scale_gradient=True),
        ),
    ),
    head=dict(projector=dict(init='kaiming'), predictor=dict(init='normal')),
)
train_dataloader = dict(batch_size=128)
sync_bn = ['head', 'teacher.head']
global_batch_size = 128 * 8 * 8
optim_wrapper = dict(
    paramwise_cfg=dict(
        decay=[
            '*.conv.weight',
            '*.convs.*.weight',
            '*.linear?.weight',
            '*.prelu.weight',
            'backbone.blocks.[0135].pointwise.norms.*.weight',
            'backbone.blocks.11.pointwise.norms.*.weight',
        ]
    )
)
