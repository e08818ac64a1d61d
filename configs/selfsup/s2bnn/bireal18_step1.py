"""S2-BNN, distillation only, step 1, ImageNet: Bi-Real-18, binary activations, real weights.

8 GPUs x 32 = 256 images a step, 200 epochs, one view. 1.378e8 FLOPs, 1.640e8 OPs once binary. Published, after step 2:
51.242/75.890 linear top-1/top-5; here: not yet measured. Its script is not published: settings are ReActNet-A's.
"""

_base_ = ['./distillation_step1.py']
model = dict(backbone=dict(type='ResNet'), head=dict(projector=dict(in_channels=512, widths=[512, 128])))
