"""Everything on scikit-learn's digits: a minute or two on a CPU. For networks of 8 x 8 images."""

_HERE = 'configs/benchmarks'

title = 'digits'
tasks = dict(
    knn=dict(
        config=f'{_HERE}/knn/digits.py',
        shows=dict(knn_top1_10='top-1, k = 10', knn_top1_20='k = 20', knn_top1_100='k = 100', knn_top1_200='k = 200'),
    ),
    features=dict(
        config=f'{_HERE}/features/digits.py',
        shows=dict(linear_top1='top-1, logistic regression', few_shot_top1='1 label a class'),
    ),
    linear=dict(kind='probe', config=f'{_HERE}/linear_classification/digits.py', shows=dict(top1='top-1')),
    semi_1percent=dict(
        kind='probe', config=f'{_HERE}/semi_classification/digits_1percent.py', shows=dict(top1='top-1')
    ),
    semi_10percent=dict(
        kind='probe', config=f'{_HERE}/semi_classification/digits_10percent.py', shows=dict(top1='top-1')
    ),
    svm=dict(
        kind='svm',
        config=f'{_HERE}/svm/digits.py',
        shows=dict(svm_top1='top-1', svm_top1_1_shots='1 image a class', svm_top1_8_shots='8 images a class'),
    ),
    finetune=dict(kind='probe', config=f'{_HERE}/transfer/digits_finetune.py', shows=dict(top1='top-1')),
)
