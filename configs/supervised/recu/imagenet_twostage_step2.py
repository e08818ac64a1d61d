"""ReCU in two stages (its ReActNet-like ResNet-18), stage 2, ImageNet: both binary; starts from all of stage 1.

8 GPUs x 64 = 512 images a step, 256 epochs. 1.378e8 FLOPs, 1.640e8 OPs. Published: 66.4 top-1; here: not yet
measured. Its command line names the rate twice, linear and cos: the last one holds. The release loads stage 1 with
what happens to fit; here everything must.
"""

_base_ = ['./imagenet_twostage_step1.py']
model = dict(backbone=dict(conv_cfg=dict(weight=dict(type='RectifiedSign', tau=0.85))))
optim_wrapper = dict(optimizer=dict(weight_decay=0))
schedules = dict(
    tau=dict(_delete_=True, target='backbone.*.tau', curve='exponential', start=0.85, end=0.99, by='epoch')
)
load_from = 'work_dirs/supervised/recu/imagenet_twostage_step1/weights.pth'
