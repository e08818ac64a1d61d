"""Linear evaluation on ImageNet, SimSiam's protocol (arXiv:2011.10566): LARS, 8 GPUs x 512 = 4096, 90 epochs.

Published: 68.1 top-1 of SimSiam, 68.7 of S2-BNN's ResNet-50 (100 epochs of training each); here: not yet measured.
"""

_base_ = ['./burn.py']
train_dataloader = dict(batch_size=512)
global_batch_size = 4096
optim_wrapper = dict(optimizer=dict(type='LARS', lr=0.1 / 256 * 4096, weight_decay=0, always_adapt=True))
schedules = dict(lr=dict(_delete_=True, target='lr', curve='cosine', end=0.0, by='epoch'))
train_cfg = dict(max_epochs=90)
