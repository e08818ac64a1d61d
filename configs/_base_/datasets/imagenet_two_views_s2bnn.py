"""ImageNet, S2-BNN's view twice, for contrastive learning and for contrast with distillation."""

_base_ = ['./imagenet_one_view_s2bnn.py']
train_dataloader = dict(dataset=dict(views=[{{_base_._VIEW}}] * 2))
