"""S2-BNN, distillation only, with a small real-valued student, ImageNet: MobileNetV2, or any model of torchvision.

8 GPUs x 32 = 256 images a step, 200 epochs, one view. 3.008e8 FLOPs. No published number: an example of another
student, with the settings of ReActNet-A; here: not yet measured.
"""

_base_ = ['./distillation_step1.py']
model = dict(
    backbone=dict(_delete_=True, type='TorchvisionModel', name='mobilenet_v2'),
    head=dict(projector=dict(in_channels=1280, widths=[1280, 128])),
)
