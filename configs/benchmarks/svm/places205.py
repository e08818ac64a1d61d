"""Linear SVMs on Places205 from 1 to 96 images of each of the 205 classes, FAIR's protocol (arXiv:1905.01235): top-1.

    bash benchmarks/dist_test_svm_pretrain.sh configs/benchmarks/svm/places205.py WEIGHTS feat5 GPUS

The draws are made from 480 images of each class, 5 x 96, so that 98,400 of the 2,448,873 training images go through the
network and not all (4 GB of features for each layer, not 90 GB); 20,500 are scored. Not yet measured. There are 3,075
SVMs for each number of shots, of 96 on 19,680 images and 4 GB each: some 50 core hours in all, by the seconds that VOC
2007 takes. Begin with --cfg-options test_evaluator.0.shots=[1,2,4,8], which is a fifteenth of it.
"""

_base_ = ['./voc07.py']
_VIEWS = {{_base_._VIEW}}
test_dataloader = dict(
    dataset=dict(
        bank=dict(
            _delete_=True,
            type='SomeOfEachClass',
            per_class=480,
            dataset=dict(type='Places205', split='train', labeled=True, views=_VIEWS),
        ),
        query=dict(_delete_=True, type='Places205', split='val', labeled=True, views=_VIEWS),
    )
)
test_evaluator = [dict(type='LinearSVM', full=False, shots=[1, 2, 4, 8, 16, 32, 64, 96])]
