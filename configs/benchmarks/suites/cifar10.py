"""Everything on CIFAR-10 (data/cifar10): k-NN on the images as they are, transfer on images enlarged to 224 px."""

_HERE = 'configs/benchmarks'

title = 'CIFAR-10'
tasks = dict(
    knn=dict(config=f'{_HERE}/knn/cifar10.py', shows=dict(knn_top1_20='top-1, k = 20', knn_top1_200='k = 200')),
    transfer_linear=dict(
        kind='probe', config=f'{_HERE}/transfer/cifar10_linear.py', shows=dict(top1='top-1, best of the rates')
    ),
    transfer_finetune=dict(kind='probe', config=f'{_HERE}/transfer/cifar10_finetune.py', shows=dict(top1='top-1')),
)
