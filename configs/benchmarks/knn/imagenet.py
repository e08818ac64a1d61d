"""k-NN on ImageNet: each of 50,000 validation images is looked for among 1,281,167 training images, plain views.

8 GPUs x 256, or GPUS=1. Works with any weights file. Cost: an epoch's forward work, then 6.6e13 multiply-adds in
float64 for 1024 features, and 5.2 GB for the bank, shared out over the processes: benchmarks/speed/knn.py.
k and temperature: arXiv:1805.01978 (200, 0.07).
"""

_base_ = ['../../_base_/datasets/imagenet_knn.py', '../../_base_/runtime_imagenet.py']
test_dataloader = dict(
    batch_size=256,
    num_workers=8,
    pin_memory=True,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset={{_base_.val_dataloader.dataset}},
)
test_cfg = dict()
test_evaluator = [dict(type='KNNAccuracy', num_neighbours=[10, 20, 100, 200], temperature=0.07)]
val_dataloader = None
val_cfg = None
val_evaluator = None
