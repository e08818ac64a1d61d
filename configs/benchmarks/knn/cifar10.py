"""k-NN on CIFAR-10: plain test images (10,000) are looked for among plain training images (50,000)."""

_base_ = ['./digits.py']
test_dataloader = dict(
    batch_size=256, dataset=dict(bank=dict(type='CIFAR10', split='train'), query=dict(type='CIFAR10', split='test'))
)
