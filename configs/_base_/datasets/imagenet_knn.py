"""k-NN accuracy while a network trains without labels: beside its own base, and with a train_cfg.val_interval.

The neighbours of each of the 50,000 validation images are looked for among all 1,281,167 training images (k 200,
temperature 0.07: arXiv:1805.01978): as much work as a third of an epoch, and 5 GB of memory for 1024 features in
float32 in the first process; see selfsup/s2bnn/distillation_step2_knn.py. For a bank of a tenth, a list of it:
val_dataloader.dataset.bank=dict(type="ImageList",list_file="data/imagenet/meta/train_labeled_10percent.txt",
folder="data/imagenet/train",num_classes=1000). Training itself reads no label.
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
