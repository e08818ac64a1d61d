"""AdamW for the digits, its rate a cosine to 0 after an epoch of warm-up."""

_base_ = ['./adamw_digits.py']
sync_bn = True
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0, by='iter', warmup_epochs=1, warmup_ratio=0.01))
