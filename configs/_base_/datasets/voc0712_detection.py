"""Pascal VOC with boxes, 2 images a GPU: both trainvals, mirrored half the time; tested on VOC07 test, one by one.

Expected is data/VOCdevkit with VOC2007 and VOC2012, as the archives extract.
"""

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='EpochSampler'),
    dataset=dict(
        type='VOCDetection',
        sets=[['VOC2007', 'trainval'], ['VOC2012', 'trainval']],
        root='data/VOCdevkit',
        flip_probability=0.5,
    ),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(type='VOCDetection', sets=[['VOC2007', 'test']], root='data/VOCdevkit'),
)
test_dataloader = val_dataloader
val_cfg = dict()
val_evaluator = [dict(type='DetectionAP', rule='voc07')]
test_cfg = val_cfg
test_evaluator = val_evaluator
