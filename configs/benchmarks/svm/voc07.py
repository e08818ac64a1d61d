"""Linear SVMs on VOC 2007, FAIR's and OpenSelfSup's protocol: mAP from all images, and from 1 to 96 of each class.

    bash benchmarks/dist_test_svm_pretrain.sh configs/benchmarks/svm/voc07.py WEIGHTS "feat4 feat5" GPUS

Published (OpenSelfSup, ResNet-50, feat5): 79.18 of MoCo v1, 84.26 of MoCo v2; from 1, 2, 4, ..., 96 images of a class
45.55, 54.71, 63.15, 70.75, 76.02, 79.31, 81.44, 82.26 of MoCo v2. Here: not yet measured. The published scripts train
all SVMs on difficult images as negatives, and leave them out of the scores; their pool averages larger windows (of
feat5's 7 x 7 four of 6 x 6, ours four of 4 x 4). Images become 224 x 224 whatever their shape, as there. For each layer
about half an hour of a core, by 4 to 8 s for an SVM on all images with made-up features of 8,192 numbers; 1.1 GB each.
"""

_base_ = ['../../_base_/runtime.py']
_VIEW = [[dict(type='torchvision/Resize', size=256), dict(type='torchvision/Resize', size=(224, 224))]]
test_dataloader = dict(
    batch_size=32,
    num_workers=4,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='BankAndQuery',
        bank=dict(type='VOC07', split='trainval', views=_VIEW),
        query=dict(type='VOC07', split='test', views=_VIEW),
    ),
)
test_cfg = dict()
test_evaluator = [dict(type='LinearSVM', shots=[1, 2, 4, 8, 16, 32, 64, 96], difficult='negative')]
