"""S2-BNN, distillation only, on the digits: a real-valued ResNet learns SwAV's prototype scores.

Here: not yet measured.
"""

_base_ = ['./distillation_step1_digits.py']
model = dict(
    backbone=dict(_delete_=True, type='TorchvisionResNet', depth=18, stem='small', widths=[16, 32], depths=[1, 1]),
    head=dict(
        projector=dict(in_channels=32, widths=[128, 100]),
        normalize=False,
        student_temperature=0.2,
        teacher_temperature=0.2,
    ),
    teacher=dict(
        head=dict(
            _delete_=True,
            type='PrototypeHead',
            projector=dict(type='MLP', in_channels=128, widths=[128, 16], last_norm=True),
            prototypes=100,
            temperature=0.2,
        ),
        checkpoint='work_dirs/selfsup/swav/reactnet_real_digits/weights.pth',
    ),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
how_to_get = None  # its base's is of another teacher
