"""Bi-Real Net's and ReActNet's training on ImageNet: Adam, 256 epochs, in epoch e = 0, 1, ... at lr (1 - (e + 1) / E).

So the last epoch trains at 0: the release steps its scheduler before the epoch.
"""

global_batch_size = 512
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3, weight_decay=0))
schedules = dict(lr=dict(target='lr', curve='linear', end=0.0, by='epoch', epochs_ahead=1))
train_cfg = dict(type='EpochLoop', max_epochs=256)
