"""MoCo v2's optimiser (arXiv:2003.04297): SGD at 0.03 for 256 images a step, cosine by epoch; epochs by the child."""

global_batch_size = 256
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4))
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0, by='epoch'))
