"""Everything on ImageNet (data/imagenet), by BURN's and OpenSelfSup's protocols: days on one GPU, so it asks first."""

_HERE = 'configs/benchmarks'
_TOP = dict(top1='top-1', top5='top-5')

title = 'ImageNet'
tasks = dict(
    knn=dict(
        config=f'{_HERE}/knn/imagenet.py',
        shows=dict(knn_top1_10='top-1, k = 10', knn_top1_20='k = 20', knn_top1_100='k = 100', knn_top1_200='k = 200'),
    ),
    linear=dict(kind='probe', config=f'{_HERE}/linear_classification/imagenet/burn.py', shows=_TOP),
    semi_1percent=dict(
        kind='probe', config=f'{_HERE}/semi_classification/imagenet_1percent/lr0_01_head100.py', shows=_TOP
    ),
    semi_10percent=dict(
        kind='probe', config=f'{_HERE}/semi_classification/imagenet_10percent/lr0_01_head10.py', shows=_TOP
    ),
)
