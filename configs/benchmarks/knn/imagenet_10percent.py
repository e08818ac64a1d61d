"""k-NN on ImageNet with a bank of a tenth of the training images: as imagenet.py, in a seventh of its time.

The list is SimCLR's (arXiv:2002.05709): tools/prepare_data/subsets.py, or OpenSelfSup's meta/.
"""

_base_ = ['./imagenet.py']
test_dataloader = dict(
    dataset=dict(
        bank=dict(
            _delete_=True,
            type='ImageList',
            list_file='data/imagenet/meta/train_labeled_10percent.txt',
            folder='data/imagenet/train',
            num_classes=1000,
        )
    )
)
