"""S2-BNN, distillation only, real-valued: ResNet-50 learns from SwAV's RN50-w4, ImageNet.

8 GPUs x 64 = 512 images a step, 100 epochs, one view. 4.089e9 FLOPs (teacher: 6.40e10, half precision here).
Published: 68.7 linear top-1 by SimSiam's protocol (benchmarks/linear_classification/imagenet/simsiam.py), SimSiam
itself 68.1; here: not yet measured. Published are teacher, epochs, batch and protocol. Unverified: what is distilled
(here SwAV's 3000 prototype scores at its temperature 0.1), the student's head, and the optimiser (here that of
ReActNet-A, not scaled with the batch).
"""

_base_ = ['./distillation_step1.py']
model = dict(
    backbone=dict(_delete_=True, type='TorchvisionResNet', depth=50),
    head=dict(
        projector=dict(in_channels=2048, widths=[2048, 3000]),
        normalize=False,  # a unit vector of 3000 entries is nearly uniform at any temperature that trains
        student_temperature=0.1,
        teacher_temperature=0.1,
    ),
    teacher=dict(
        backbone=dict(widths=[256, 512, 1024, 2048]),
        head=dict(
            _delete_=True,
            type='PrototypeHead',
            projector=dict(type='MLP', in_channels=8192, widths=[8192, 128]),
            prototypes=3000,
        ),
        checkpoint='checkpoints/swav_RN50w4_400ep_pretrain.pth.tar',
        layout='swav_resnet50w4',
        precision='fp16',
    ),
)
train_dataloader = dict(batch_size=64)
global_batch_size = 512
train_cfg = dict(max_epochs=100)
how_to_get = dict(
    teacher="SwAV's RN50-w4, 400 epochs: curl -L --create-dirs -o checkpoints/swav_RN50w4_400ep_pretrain.pth.tar "
    'https://dl.fbaipublicfiles.com/deepcluster/swav_RN50w4_400ep_pretrain.pth.tar'
)
