"""Any image folder: data/folder with train/CLASS/IMAGE and val/CLASS/IMAGE, or the one that DATA_ROOT names."""

_HERE = 'configs/benchmarks'

title = 'image folder'
tasks = dict(
    transfer_linear=dict(
        kind='probe', config=f'{_HERE}/transfer/folder_linear.py', shows=dict(top1='top-1, best of the rates')
    ),
    transfer_finetune=dict(kind='probe', config=f'{_HERE}/transfer/folder_finetune.py', shows=dict(top1='top-1')),
)
