"""AdamW for the digits."""

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4), paramwise_cfg=dict(decay='weights')
)
default_hooks = dict(
    progress=dict(type='ProgressHook', interval=20),
    checkpoint=dict(type='CheckpointHook', interval=10, max_keep_ckpts=2),
)
