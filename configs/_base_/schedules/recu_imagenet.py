"""ReCU's training on ImageNet (arXiv:2103.12369): SGD at 0.1, 512 images a step, 200 epochs.

Decayed is what the code calls conv or fc: convolutions with the scales of their outputs, the stem and the classifier;
not the convolutions of shortcuts, not the BatchNorms.
"""

_base_ = ['./recu.py']
global_batch_size = 512
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(decay=['backbone.stem.conv.*', 'backbone.stages.*.units.*.conv.*', 'head.fc.*']),
)
train_cfg = dict(type='EpochLoop', max_epochs=200)
