"""MoCo v2 as it is on the digits: binary in one step, SGD and a cosine; what S2-BNN's tuned recipe starts from.

The projector ends each hidden layer with a BatchNorm, which MoCo v2's does not: see s2bnn/contrastive_step1_digits.py.
Here: not yet measured.
"""

_base_ = ['../s2bnn/contrastive_one_step_digits.py']
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4), paramwise_cfg=dict(decay='all')
)
