"""Any image folder: data/folder with train/CLASS/IMAGE and val/CLASS/IMAGE, or the one that DATA_ROOT names."""

_HERE = 'configs/benchmarks'

title = 'image folder'
tasks = dict(
    knn=dict(config=f'{_HERE}/knn/folder.py', shows=dict(knn_top1_10='top-1, k = 10', knn_top1_20='k = 20')),
    transfer_linear=dict(
        kind='probe', config=f'{_HERE}/transfer/folder_linear.py', shows=dict(top1='top-1, best of the rates')
    ),
    transfer_finetune=dict(kind='probe', config=f'{_HERE}/transfer/folder_finetune.py', shows=dict(top1='top-1')),
)
