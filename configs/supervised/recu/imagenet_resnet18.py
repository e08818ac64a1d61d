"""ReCU, ResNet-18, ImageNet (arXiv:2103.12369): binary from the start. 8 GPUs x 64 = 512 images a step, 200 epochs.

1.378e8 FLOPs, 1.640e8 OPs. Published: 60.98/82.57 top-1/top-5 (4 GPUs x 128); here: not yet measured. Crops of 0.08
to 1.25 times the area are the code's (../../_base_/datasets/imagenet_recu.py).
"""

_base_ = [
    '../../_base_/datasets/imagenet_recu.py',
    '../../_base_/models/recu_resnet18_imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/recu_imagenet.py',
]
