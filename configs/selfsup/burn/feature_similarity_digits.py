"""Feature similarity alone on the digits, stage 2: what the joint classifier of stage2_digits.py adds to.

Two stages, as stage2_digits.py has them. Seed 0, linear / k-NN / 1 label a class: 93.4 / 88.2 / 58.8 on held-out
training images. Here: 87.8 linear, 84.2 k-NN, 58.0 from 1 label a class, seed 0 (bash tools/quickstart.sh --full).
"""

_base_ = ['./stage2_digits.py']
model = dict(head=dict(_delete_=True, type='BURNHead', projector=None, kl=False, in_channels=128), target_head=None)
schedules = dict(
    _delete_=True, lr=dict(target='lr', curve='cosine', end=0.0, by='iter', warmup_epochs=1, warmup_ratio=0.01)
)
load_from = 'work_dirs/quickstart/seed0/feature_similarity_stage1/weights.pth'
how_to_get = dict(load_from='make it with: bash tools/quickstart.sh --full')
