"""k-NN on any folder of train/CLASS/IMAGE and val/CLASS/IMAGE: data/folder, a folder or a link to one.

Another one: --cfg-options test_dataloader.dataset.bank.folder=/path/train test_dataloader.dataset.query.folder=/path/val
"""

_base_ = ['./imagenet.py']
test_dataloader = dict(
    dataset=dict(
        bank=dict(_delete_=True, type='ImageFolder', folder='data/folder/train'),
        query=dict(_delete_=True, type='ImageFolder', folder='data/folder/val'),
    )
)
