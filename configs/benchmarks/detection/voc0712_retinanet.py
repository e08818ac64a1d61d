"""Detection on VOC07+12 as voc0712_fpn.py, by RetinaNet, of one stage. 8 GPUs x 2 images; here: not yet measured.

Half the rate, as torchvision and detectron2 have it for RetinaNet (0.01 for 16 images).
"""

_base_ = ['./voc0712_fpn.py']
model = dict(head=dict(type='RetinaNet'))
optim_wrapper = dict(optimizer=dict(lr=0.01))
