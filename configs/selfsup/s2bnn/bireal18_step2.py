"""S2-BNN, distillation only, step 2, ImageNet: Bi-Real-18, both binary; starts from all of step 1.

8 GPUs x 32 = 256 images a step, 200 epochs, one view. 1.378e8 FLOPs, 1.640e8 OPs. Paper: 51.242/75.890 linear
top-1/top-5 (benchmarks/linear_classification/imagenet/s2bnn.py with model.head.in_channels=512); here: not yet
measured.
"""

_base_ = ['./bireal18_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='ScaledSign', ste='clip'))))
load_from = 'work_dirs/selfsup/s2bnn/bireal18_step1/weights.pth'
how_to_get = dict(
    load_from='step 1 makes it: bash tools/dist_train.sh configs/selfsup/s2bnn/bireal18_step1.py 8 && python '
    'tools/extract_weights_for_multi.py work_dirs/selfsup/s2bnn/bireal18_step1/latest.pth '
    'work_dirs/selfsup/s2bnn/bireal18_step1/weights.pth'
)
