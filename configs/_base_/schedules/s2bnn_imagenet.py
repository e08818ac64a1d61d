"""S2-BNN's optimiser (arXiv:2102.08946): Adam at 3e-4 for 256 images a step, linear to 0 by epoch, 200 epochs a step.

The published flag for the rate is called `--cos`; it is linear.
"""

global_batch_size = 256
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=3e-4, weight_decay=0))
schedules = dict(lr=dict(target='lr', curve='linear', end=0.0, by='epoch'))
train_cfg = dict(type='EpochLoop', max_epochs=200)
