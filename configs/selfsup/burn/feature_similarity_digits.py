"""Feature similarity alone on the digits, stage 2: what the joint classifier of stage2_digits.py adds to."""

_base_ = ['./stage2_digits.py']
model = dict(
    head=dict(_delete_=True, type='BURNHead', projector=None, kl=False, in_channels=128),
    target_head=None,
)
schedules = dict(
    _delete_=True,
    lr=dict(target='lr', curve='cosine', end=0.0, by='iter', warmup_epochs=1, warmup_ratio=0.01),
)
load_from = 'work_dirs/quickstart/seed0/feature_similarity_stage1/weights.pth'
how_to_get = dict(load_from='make it with: bash tools/quickstart.sh --full')
