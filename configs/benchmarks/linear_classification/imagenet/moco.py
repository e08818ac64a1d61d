"""Linear evaluation on ImageNet, MoCo's protocol: as burn.py but SGD at 30. Frozen ResNet-50, 8 GPUs x 32, 100 epochs.

Published (arXiv:2003.04297): 71.1 top-1 of MoCo v2, 800 epochs; here: not yet measured.
"""

_base_ = ['./burn.py']
optim_wrapper = dict(optimizer=dict(lr=30.0))
