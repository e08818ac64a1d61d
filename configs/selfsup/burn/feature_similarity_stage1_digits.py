"""Feature similarity alone on the digits, stage 1: no classifiers, nothing but 2 - 2 cos to the extractor.

Here: not yet measured.
"""

_base_ = ['./stage1_digits.py']
model = dict(head=dict(_delete_=True, type='BURNHead', projector=None, kl=False, in_channels=128), target_head=None)
schedules = dict(
    _delete_=True, lr=dict(target='lr', curve='cosine', end=0.0, by='iter', warmup_epochs=1, warmup_ratio=0.01)
)
