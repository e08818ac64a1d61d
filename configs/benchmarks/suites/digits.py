"""Everything on scikit-learn's digits: seconds to a few minutes on a CPU."""

_HERE = 'configs/benchmarks'

title = 'digits'
tasks = dict(
    features=dict(
        config=f'{_HERE}/features/digits.py',
        shows=dict(linear_top1='logistic regression', few_shot_top1='1 label a class'),
    ),
    linear=dict(kind='probe', config=f'{_HERE}/linear_classification/digits.py', shows=dict(top1='top-1')),
)
