"""Transfer to CIFAR-10, as cifar10_linear.py, but the whole network learns: SGD, the head at ten times the rate."""

_base_ = ['./cifar10_linear.py']
model = dict(head=dict(_delete_=True, type='LinearHead', num_classes=None), frozen=[])
train_dataloader = dict(
    dataset=dict(
        views=[[dict(type='BatchCrop', size=32, padding=4), dict(type='PhotoFlip'), dict(type='BatchResize', size=224)]]
    )
)
sync_bn = True
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(lr_mult=dict(head=10)),
)
schedules = dict(lr=dict(_delete_=True, target='lr', curve='cosine', end=0.0, by='iter'))
