"""Transfer to any image folder, as folder_linear.py, but the whole network learns: SGD, the head at ten times the rate.

The setting is ours, no paper's; the rates are worth a grid (--grid of benchmarks/dist_train_semi.sh).
"""

_base_ = ['./folder_linear.py']
model = dict(head=dict(_delete_=True, type='LinearHead', num_classes=None), frozen=[])
sync_bn = True
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(lr_mult=dict(head=10)),
)
schedules = dict(lr=dict(_delete_=True, target='lr', curve='cosine', end=0.0, by='iter'))
