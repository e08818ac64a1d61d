"""ReActNet's ResNet-34, step 1, ImageNet (arXiv:2003.03488): binary activations, real weights.

8 GPUs x 64 = 512 images a step, 256 epochs; a teacher's soft labels alone. 1.378e8 FLOPs, 1.929e8 OPs once binary.
No published number: ResNet-18's settings; here: not yet measured.
"""

_base_ = ['./resnet18_step1.py']
model = dict(backbone=dict(depths=[6, 8, 12, 6]))
