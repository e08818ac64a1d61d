"""Transfer to any image folder: classifiers of four rates on the frozen trunk, one pass, 8 GPUs x 32, 100 epochs.

The folder has train/CLASS/IMAGE and val/CLASS/IMAGE (or test/); its name goes before the command:

    DATA_ROOT=/path/to/flowers bash benchmarks/dist_train_linear.sh configs/benchmarks/transfer/folder_linear.py WEIGHTS

The number of classes is the folder's. For fewer than 256 training images lower global_batch_size. The setting is
ours, no paper's: the rate is chosen by the top-1 on the validation images.
"""

_base_ = ['../linear_classification/imagenet/several_rates.py']
model = dict(head=dict(num_classes=None, rates=[0.01, 0.1, 1.0, 10.0]))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SplitFolder',
        root='{{$DATA_ROOT:data/folder}}',
        split='train',
        views={{_base_.train_dataloader.dataset.views}},
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SplitFolder',
        root='{{$DATA_ROOT:data/folder}}',
        split='val',
        views={{_base_.val_dataloader.dataset.views}},
    )
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='Accuracy')]
test_evaluator = val_evaluator
