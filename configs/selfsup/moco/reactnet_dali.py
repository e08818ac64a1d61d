"""MoCo v2 on binary ReActNet-A, ImageNet, its views cut by DALI and coloured and blurred, all of it on the GPU.

8 GPUs x 32 = 256 images a step, 200 epochs. 0.119e8 FLOPs, 0.871e8 OPs. Else as reactnet_device_views.py, which
flips and colours alike; needs ``pip install "binssl[dali]"``; here: not yet measured, and not yet run on a GPU.
"""

_base_ = ['./reactnet_device_views.py']
train_dataloader = dict(
    num_workers=0,  # DALI has threads of its own
    persistent_workers=False,
    pin_memory=False,  # the views lie on the GPU already
    dataset=dict(_delete_=True, type='DaliImages', dataset={{_base_.train_dataloader.dataset}}),
)
