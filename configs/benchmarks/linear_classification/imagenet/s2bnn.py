"""Linear evaluation on ImageNet, S2-BNN's protocol: as burn.py, but SGD at 0.1. 8 GPUs x 32, 100 epochs.

Published: 46.922 (MoCo v2), 52.452 (tuned), 56.022 (+ distillation), 61.506 (distillation only) top-1 of ReActNet-A;
Bi-Real-18: 42.816 and 51.242; here: not yet measured.
"""

_base_ = ['./burn.py']
optim_wrapper = dict(optimizer=dict(lr=0.1))
