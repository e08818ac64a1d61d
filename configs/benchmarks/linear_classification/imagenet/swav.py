"""Linear evaluation on ImageNet, SwAV's protocol (arXiv:2006.09882): SGD at 0.3, cosine, 8 GPUs x 32, 100 epochs.

Published: 75.3 top-1 of SwAV, 800 epochs; here: not yet measured.
"""

_base_ = ['./burn.py']
optim_wrapper = dict(optimizer=dict(lr=0.3, weight_decay=1e-6))
schedules = dict(lr=dict(_delete_=True, target='lr', curve='cosine', end=0.0, by='epoch'))
