"""k-NN accuracy on the digits while a network trains without labels: a second base of a config.

The last fifth of the training images is looked for among the others; the test images stay out of it.
"""

_base_ = ['./digits_features.py']
val_dataloader = dict(dataset=dict(bank=dict(split='fit'), query=dict(split='held_out')))
val_cfg = dict()
val_evaluator = [dict(type='KNNAccuracy')]
test_dataloader = None
