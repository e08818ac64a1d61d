"""Everything on Pascal VOC (data/VOCdevkit): SVMs and low-shot on VOC 2007, detection on VOC07+12."""

_HERE = 'configs/benchmarks'

title = 'Pascal VOC'
tasks = dict(
    svm=dict(
        kind='svm',
        config=f'{_HERE}/svm/voc07.py',
        shows=dict(
            svm_map='mAP',
            svm_map_11_points='mAP, 11 points',
            svm_map_1_shots='mAP, 1 image a class',
            svm_map_16_shots='mAP, 16 images a class',
            svm_map_96_shots='mAP, 96 images a class',
        ),
    ),
    detection=dict(
        kind='probe', config=f'{_HERE}/detection/voc0712_fpn.py', shows=dict(AP='AP', AP50='AP50', AP75='AP75')
    ),
)
