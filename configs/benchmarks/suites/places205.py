"""Everything on Places205 (data/places205): SVMs and low-shot on its scenes."""

title = 'Places205'
tasks = dict(
    svm=dict(
        kind='svm',
        config='configs/benchmarks/svm/places205.py',
        shows=dict(
            svm_top1_1_shots='top-1, 1 image a class',
            svm_top1_16_shots='top-1, 16 images a class',
            svm_top1_96_shots='top-1, 96 images a class',
        ),
    )
)
