"""k-NN on any image folder with train/CLASS/IMAGE and val/CLASS/IMAGE (or test/).

Its name goes before the command:

    DATA_ROOT=/path/to/flowers bash benchmarks/dist_test_knn.sh configs/benchmarks/knn/folder.py WEIGHTS
"""

_base_ = ['./imagenet.py']
test_dataloader = dict(
    dataset=dict(
        bank=dict(_delete_=True, type='SplitFolder', root='{{$DATA_ROOT:data/folder}}', split='train'),
        query=dict(_delete_=True, type='SplitFolder', root='{{$DATA_ROOT:data/folder}}', split='val'),
    )
)
test_evaluator = [dict(type='KNNAccuracy', num_neighbours=[10, 20], temperature=0.07)]
