"""Detection on VOC07+12: Faster R-CNN with a pyramid on a trained trunk, all of it learning. 8 GPUs x 2 images.

    bash tools/dist_train.sh configs/benchmarks/detection/voc0712_fpn.py 8 --pretrained WEIGHTS

Trained on the 16,551 images of both trainvals, tested on VOC07 test by VOC07's 11 points (as detectron2 does). Settings
of MoCo and OpenSelfSup (arXiv:1911.05722, 24,000 steps of 16 images, x0.1 at 18,000 and 22,000), in epochs of 1,034
steps: 23, x0.1 after 17 and 21 (23,782; 17,578; 21,714). Their detector has no pyramid (C4), so that their numbers do
not compare: AP 57.4, AP50 82.5, AP75 64.0 of MoCo v2, ResNet-50, 800 epochs (arXiv:2003.04297); here: not yet measured.
The weights file says which trunk it is. For one whose BatchNorms should stay: --cfg-options model.norms=frozen. On
fewer GPUs a step has 16 images all the same, but the BatchNorms see 2 a GPU: freeze them, or raise the loader's
batch_size.
"""

_base_ = ['../../_base_/datasets/voc0712_detection.py', '../../_base_/runtime.py']
model = dict(
    type='Detector',
    head=dict(
        type='FasterRCNN',
        num_classes=20,
        min_sizes=[480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800],  # one an image; the last one in tests
        max_size=1333,
    ),
)
sync_bn = True
global_batch_size = 16
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(decay='weights'),  # norms are spared, as by detectron2; here biases and shifts too
)
schedules = dict(
    lr=dict(target='lr', curve='step', milestones=[17, 21], gamma=0.1, warmup_epochs=100 / 1034, warmup_ratio=1e-3)
)
train_cfg = dict(type='EpochLoop', max_epochs=23, val_begin=23)
