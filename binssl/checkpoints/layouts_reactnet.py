"""Published layouts of ReActNet-A: ReActNet's own, S2-BNN's, BURN's."""

from __future__ import annotations

import re
from typing import Any

from binssl.checkpoints.layout import (
    APPROX,
    BOX,
    CLIPPED,
    IMAGENET,
    MOCO_LAYERS,
    STEM,
    Conversion,
    Shapes,
    behind,
    binary_conv,
    moco_head,
    with_layers,
)

REACTNET_UNITS = {
    'move11': 'spatial.shift',
    'binary_3x3': 'spatial.conv',
    'bn1': 'spatial.norm',
    'move12': 'spatial.activation.shift_in',
    'prelu1': 'spatial.activation.prelu',
    'move13': 'spatial.activation.shift_out',
    'move21': 'pointwise.shift',
    'move22': 'pointwise.activation.shift_in',
    'prelu2': 'pointwise.activation.prelu',
    'move23': 'pointwise.activation.shift_out',
}
KEPT_WIDTH = {'binary_pw': 'pointwise.convs.0', 'bn2': 'pointwise.norms.0'}
DOUBLED_WIDTH = {
    'binary_pw_down1': 'pointwise.convs.0',
    'binary_pw_down2': 'pointwise.convs.1',
    'bn2_1': 'pointwise.norms.0',
    'bn2_2': 'pointwise.norms.1',
}


def reactnet_name(key: str, shapes: Shapes) -> str | None:
    """Our name for an entry of the published ReActNet-A (``feature.N.unit.leaf``), under ``backbone.``.

    S2-BNN's blocks build the 1x1 branch of both kinds of block and use one: the other is dead (None).
    """
    match = re.fullmatch(r'feature\.(\d+)\.(\w+)\.(\w+)', key)
    if match is None:
        return key
    number, unit, leaf = int(match[1]), match[2], match[3].replace('weights', 'weight')
    if number == 0:
        return f'backbone.{STEM[unit]}.{leaf}' if unit in STEM else key
    before, after = (shapes.get(f'feature.{number}.{shift}.bias', ()) for shift in ('move11', 'move22'))
    used, dead = (KEPT_WIDTH, DOUBLED_WIDTH) if before == after else (DOUBLED_WIDTH, KEPT_WIDTH)
    if unit in dead:
        return None
    ours = (REACTNET_UNITS | used).get(unit)
    return f'backbone.blocks.{number - 1}.{ours}.{leaf}' if ours else key


BURN_WEIGHT = {'type': 'ScaledSign', 'ste': 'identity', 'scale_gradient': True}
BURN_NECK = {'type': 'PoolMLP', 'in_channels': 1024, 'widths': [1024], 'norm': None, 'last_activation': True}
BURN_HEAD = {'type': 'BURNHead', 'projector': {'type': 'MLP', 'in_channels': 1024, 'widths': [2000, 2000]}}
BURN_COPIES = ('online_net.0', 'diff_branch_net.0')
BURN_TARGET_HEAD = {'type': 'MLP', 'in_channels': 2048, 'widths': [2000, 2000]}
# the release's joint classifiers, of student and target, in a file of three parts and in a training checkpoint
BURN_CLASSIFIERS = {
    f'{theirs}.{layer}{index}': f'{ours}.{name}{index}'
    for theirs, ours in (
        *(('classifier', 'head.projector'), ('teacher_classifier', 'target_head')),
        *(('online_net.1', 'head.projector'), ('diff_branch_net.1', 'target_head')),
    )
    for layer, name in (('fc', 'linear'), ('bn', 'norm'))
    for index in (0, 1)
}


def _reactnet(activation: dict, weight: dict | None, kind: str = 'Encoder', **parts: dict) -> dict[str, Any]:
    """Config of a network with a ReActNet-A backbone, its other parts given."""
    backbone = {'type': 'ReActNet', 'conv_cfg': binary_conv(activation, weight)}
    return {'type': kind, 'backbone': backbone, **parts, 'data_preprocessor': IMAGENET}


def _burn() -> dict[str, Conversion]:
    """BURN's release: ``extract_backbone_weights.py``'s files, and ``extract_weights_for_multi.py``'s (``_multi``)."""
    trunk = with_layers(reactnet_name, {'fc.0': 'neck.mlp.linear0'})
    multi = with_layers(behind('backbone.', trunk), BURN_CLASSIFIERS)
    found = {}
    for name, weight in (('burn_reactnet', BURN_WEIGHT), ('burn_reactnet_binact', None)):
        found[name] = Conversion(_reactnet(BOX, weight, neck=BURN_NECK), trunk)
        model = _reactnet(BOX, weight, neck=BURN_NECK, head=BURN_HEAD)
        found[f'{name}_multi'] = Conversion(model, multi, ('',), BURN_COPIES, BURN_TARGET_HEAD)
    return found


def reactnet_conversions() -> dict[str, Conversion]:
    """Every published layout of a ReActNet-A."""
    s2bnn = with_layers(reactnet_name, MOCO_LAYERS)
    with_fc = with_layers(reactnet_name, {'fc': 'head.fc'})
    query = ('module.encoder_q.', 'encoder_q.', 'module.', '')
    fc = {'type': 'LinearHead', 'in_channels': 1024, 'num_classes': 1000}
    moco = moco_head(1024)
    return {
        **_burn(),
        's2bnn_step1_reactnet_mlp': Conversion(_reactnet(APPROX, None, head=moco), s2bnn, query),
        's2bnn_step2_reactnet_mlp': Conversion(_reactnet(APPROX, CLIPPED, head=moco), s2bnn, query),
        'reactnet_mobilenet_step1': Conversion(_reactnet(APPROX, None, 'Classifier', head=fc), with_fc),
        'reactnet_mobilenet_step2': Conversion(_reactnet(APPROX, CLIPPED, 'Classifier', head=fc), with_fc),
    }
