"""What every network for ImageNet begins with: pixels 0..255 normalised by ImageNet's mean and deviation."""

model = dict(
    data_preprocessor=dict(type='ImageNormalizer', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
)
