"""ReCU, ResNet-18, CIFAR-10, finetuned from the trained network. 1 GPU x 256, 600 epochs.

1.775e6 FLOPs, 1.033e7 OPs. Published: 93.2 top-1, the best epoch's on the test images; here: not yet measured.
Published are the 600 epochs, unverified is the rest: here a tenth of the rate, all else as in the first training,
tau from its beginning too.
"""

_base_ = ['./cifar10_resnet18.py']
optim_wrapper = dict(optimizer=dict(lr=0.01))
load_from = 'work_dirs/supervised/recu/cifar10_resnet18/weights.pth'
