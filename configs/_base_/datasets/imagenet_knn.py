"""k-NN accuracy while a network trains without labels: a second base of a config, which sets train_cfg.val_interval.

The neighbours of each of the 50,000 validation images are looked for among all 1,281,167 training images (k 200,
temperature 0.07: arXiv:1805.01978). That is the forward work of an epoch and, for 1024 features, 6.6e13 multiply-adds
and 5.2 GB of memory, shared out over the processes: every 20 epochs or so, as in
selfsup/s2bnn/distillation_step2_knn.py.
A tenth of it, with the usual list of a tenth of the images:

    --cfg-options 'val_dataloader.dataset.bank=dict(_delete_=True, type="ImageList", num_classes=1000,
        folder="data/imagenet/train", list_file="data/imagenet/meta/train_labeled_10percent.txt")'

Training itself reads no label.
"""

val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    drop_last=False,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='BankAndQuery',
        bank=dict(type='ImageNet', split='train', labeled=True),
        query=dict(type='ImageNet', split='val', labeled=True),
    ),
)
val_cfg = dict()
val_evaluator = [dict(type='KNNAccuracy', num_neighbours=200, temperature=0.07)]
