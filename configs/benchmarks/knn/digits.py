"""k-NN on the digits: plain test images (360) are looked for among plain training images (1,437).

Works with any weights file of 8 x 8 images. Raw pixels: see configs/benchmarks/features/raw_pixels.py.
"""

_base_ = ['../../_base_/datasets/digits_features.py', '../../_base_/runtime.py']
val_dataloader = None
test_cfg = dict()
test_evaluator = [dict(type='KNNAccuracy', num_neighbours=[10, 20, 100, 200], temperature=0.07)]
