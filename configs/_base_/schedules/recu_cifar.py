"""ReCU's training on CIFAR (arXiv:2103.12369): SGD at 0.1, everything decayed, 256 images a step, 600 epochs."""

_base_ = ['./recu.py']
global_batch_size = 256
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4))
train_cfg = dict(type='EpochLoop', max_epochs=600)
