"""S2-BNN, distillation only, step 1, ImageNet: ReActNet-A, binary activations, real weights.

8 GPUs x 32 = 256 images a step, 200 epochs, one view. 0.119e8 FLOPs, 0.871e8 OPs once binary. Published, after step 2:
61.506/83.512 linear top-1/top-5; here: not yet measured.
"""

_base_ = [
    '../../_base_/datasets/imagenet_one_view_s2bnn.py',
    '../../_base_/models/s2bnn_imagenet.py',
    '../../_base_/runtime_imagenet.py',
    '../../_base_/schedules/s2bnn_imagenet.py',
]
