"""ReCU, ResNet-34, ImageNet, finetuned from the trained network. 8 GPUs x 64 = 512 images a step, 200 epochs.

1.378e8 FLOPs, 1.929e8 OPs. Published: 65.25/85.98 top-1/top-5; here: not yet measured. Published are the 200
epochs, unverified is the rest: here a tenth of the rate, all else as in the first training, tau from its beginning
too.
"""

_base_ = ['./imagenet_resnet34.py']
optim_wrapper = dict(optimizer=dict(lr=0.01))
load_from = 'work_dirs/supervised/recu/imagenet_resnet34/weights.pth'
