"""ReCU in two stages (its ReActNet-like ResNet-18), stage 1, ImageNet: binary activations, real weights.

8 GPUs x 64 = 512 images a step, 256 epochs. 1.378e8 FLOPs, 1.640e8 OPs once binary. Published, after stage 2: 66.4
top-1; here: not yet measured. Stage 1 is not published. Unverified, so: stage 2's optimiser, rate, views and
teacher, initialisation (torch's default), ReActNet's decay of step 1, ReCU's activations and output scales already.
"""

_base_ = [
    '../../_base_/datasets/imagenet_recu.py',
    '../../_base_/models/soft_labels_imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/recu.py',
]
model = dict(
    backbone=dict(
        type='ResNet',
        shift=True,
        activation='RPReLU',
        conv_cfg=dict(type='BinaryConv2d', activation=dict(type='UnitVarianceSign'), scale=dict(type='ChannelScale')),
        init='torch',
    ),
    head=dict(type='LinearHead', num_classes=1000, in_channels=512, init='torch'),
)
global_batch_size = 512
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3, weight_decay=1e-5), paramwise_cfg=dict(decay='four_axes')
)
schedules = dict(tau=None)
train_cfg = dict(type='EpochLoop', max_epochs=256)
