"""Everything on CIFAR-100 (data/cifar100): k-NN on the images as they are, transfer on images enlarged to 224 px."""

_HERE = 'configs/benchmarks'

title = 'CIFAR-100'
tasks = dict(
    knn=dict(config=f'{_HERE}/knn/cifar100.py', shows=dict(knn_top1_20='top-1, k = 20', knn_top1_200='k = 200')),
    transfer_linear=dict(
        kind='probe', config=f'{_HERE}/transfer/cifar100_linear.py', shows=dict(top1='top-1, best of the rates')
    ),
    transfer_finetune=dict(kind='probe', config=f'{_HERE}/transfer/cifar100_finetune.py', shows=dict(top1='top-1')),
)
