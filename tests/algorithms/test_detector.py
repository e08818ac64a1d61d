"""A detector on a trunk: the maps it takes, its losses and answers, what stays frozen."""

import copy

import pytest
import torch
from torch import nn
from torchvision.models.detection.faster_rcnn import FasterRCNN
from torchvision.models.detection.retinanet import RetinaNet

from binssl.heads.detection import last_maps
from binssl.registry import ALGORITHMS, BACKBONES, ConfigError

REACTNET = dict(type='ReActNet', channels=[8, 8, 16, 16, 32], strides=[2, 2, 2, 1])
NORMALIZER = dict(type='ImageNormalizer', mean=[120.0, 110.0, 100.0], std=[60.0] * 3)
HEAD = dict(type='FasterRCNN', num_classes=3, strides=[4, 8, 16], channels=16, min_sizes=[64], max_size=96)
RETINA = dict(HEAD, type='RetinaNet', strides=[8, 16])
DETECTOR = dict(type='Detector', backbone=REACTNET, head=HEAD, data_preprocessor=NORMALIZER)


def build(seed: int = 0, **changes: object) -> nn.Module:
    torch.manual_seed(seed)
    return ALGORITHMS.build(copy.deepcopy(dict(DETECTOR, **changes)))


def batch(model: nn.Module) -> dict:
    draw = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (3, *size), generator=draw, dtype=torch.uint8) for size in ((64, 80), (72, 60))]
    data = dict(
        images=images,
        boxes=[torch.tensor([[8.0, 8, 40, 50]]), torch.zeros(0, 4)],
        labels=[torch.tensor([2]), torch.zeros(0, dtype=torch.int64)],
        difficult=[torch.tensor([False]), torch.zeros(0, dtype=torch.bool)],
        indices=torch.arange(2),
    )
    return model.data_preprocessor(data, True)


@pytest.mark.parametrize(
    ('backbone', 'maps'),
    [
        # every second block of plan A halves the map; the last of a size is the one before the next halving
        (
            dict(type='ReActNet', channels=[2, 2, 4, 4, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32]),
            {2: (1, 2), 4: (3, 4), 8: (5, 8), 16: (11, 16), 32: (13, 32)},
        ),
        (dict(type='ResNet', widths=[4, 8, 16, 32], depths=[1] * 4), {4: (0, 4), 8: (1, 8), 16: (2, 16), 32: (3, 32)}),
        (dict(type='ResNet', stem='small', widths=[4, 8], depths=[1, 1]), {1: (0, 4), 2: (1, 8)}),
        (
            dict(type='TorchvisionResNet', widths=[4, 8, 16, 32], depths=[1] * 4),
            {4: (0, 16), 8: (1, 32), 16: (2, 64), 32: (3, 128)},
        ),
        (
            dict(type='TwoStreamResNet', widths=[4, 8, 16, 32], depths=[1] * 4),
            {4: (0, 16), 8: (1, 32), 16: (2, 64), 32: (3, 128)},
        ),
    ],
    ids=['ReActNet', 'ResNet', 'small ResNet', 'TorchvisionResNet', 'TwoStreamResNet'],
)
def test_maps_are_the_last_of_each_size_and_looking_changes_nothing(backbone, maps):
    trunk = BACKBONES.build(backbone).train()
    before = copy.deepcopy(trunk.state_dict())
    assert last_maps(trunk) == maps
    assert trunk.out_indices == (trunk.num_maps - 1,)
    assert trunk.training
    assert all(torch.equal(value, before[key]) for key, value in trunk.state_dict().items())


def test_the_head_sees_the_backbones_maps_whatever_it_was_asked_for():
    model = build(backbone=dict(REACTNET, out_indices=[0])).eval()
    assert model.backbone.out_indices == (1, 2, 4)
    images = torch.randn(1, 3, 64, 96)
    levels = model.head.backbone(images)
    assert {name: tuple(level.shape[1:]) for name, level in levels.items()} == {
        '0': (16, 16, 24),
        '1': (16, 8, 12),
        '2': (16, 4, 6),
        'pool': (16, 2, 3),
    }
    plain = BACKBONES.build(dict(REACTNET, out_indices=[1, 2, 4])).eval()
    plain.load_state_dict(model.backbone.state_dict())
    assert all(map(torch.equal, plain(images), model.backbone(images)))


def test_weights_have_stable_names_and_each_is_there_once():
    names = list(build().state_dict())
    assert {name.split('.')[0] for name in names} == {'backbone', 'head'}
    assert not [name for name in names if 'trunk' in name]
    copied = copy.deepcopy(build())
    assert copied.head.backbone.trunk[0] is copied.backbone


@pytest.mark.parametrize('head', [HEAD, RETINA], ids=['FasterRCNN', 'RetinaNet'])
def test_all_of_it_learns(head):
    model = build(head=head)
    losses = model(**batch(model), mode='loss')
    told = [value for name, value in losses.items() if name != 'loss']
    assert not any(value.requires_grad for value in told)
    torch.testing.assert_close(losses['loss'].detach(), sum(told))
    losses['loss'].backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize(('head', 'kind'), [(HEAD, FasterRCNN), (RETINA, RetinaNet)], ids=['FasterRCNN', 'RetinaNet'])
def test_losses_and_answers_are_those_of_torchvisions_detector(head, kind):
    """Its own normalisation, its own labels, and our trunk as it takes one: a module that gives named maps."""
    model = build(head=head)
    data = batch(model)
    torch.manual_seed(5)  # it samples anchors
    ours = model(**data, mode='loss')
    first = 1 if kind is FasterRCNN else 0
    images = [image * 60 + torch.tensor([120.0, 110, 100]).view(3, 1, 1) for image in data['images']]
    theirs = copy.deepcopy(model.head)
    assert isinstance(theirs, kind)
    theirs.transform.image_mean, theirs.transform.image_std = [120.0, 110.0, 100.0], [60.0] * 3
    pairs = zip(data['boxes'], data['labels'], strict=True)
    targets = [dict(boxes=boxes, labels=labels + first) for boxes, labels in pairs]
    torch.manual_seed(5)
    torch.testing.assert_close(ours['loss'], sum(theirs(images, targets).values()), rtol=1e-4, atol=1e-5)

    model.eval()
    theirs = copy.deepcopy(model.head)
    for detector in (theirs, model.head):
        (detector.roi_heads if kind is FasterRCNN else detector).score_thresh = 0.0
    for image, answer in zip(data['images'], model(data['images']), strict=True):
        (wanted,) = theirs([image])
        assert len(wanted['boxes'])
        assert torch.equal(answer['labels'], wanted['labels'] - first)
        assert torch.equal(answer['boxes'], wanted['boxes'])
        assert 0 <= int(answer['labels'].min()) <= int(answer['labels'].max()) < 3


def test_an_answer_does_not_depend_on_the_images_beside():
    model = build().eval()
    data = batch(model)
    (answer,) = model(**data, mode='predict')
    alone = model([data['images'][1]])
    assert torch.equal(answer['detections'][1]['boxes'], alone[0]['boxes'])
    assert {'detections', 'boxes', 'labels', 'difficult', 'indices'} == set(answer)


@pytest.mark.parametrize('norms', ['learn', 'frozen'])
def test_batch_norms_of_the_backbone_learn_or_stay(norms):
    model = build(norms=norms)
    assert bool(model.train().frozen) == (norms == 'frozen')
    before = copy.deepcopy(model.backbone.state_dict())
    model(**batch(model), mode='loss')['loss'].backward()
    torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.1).step()
    after = model.backbone.state_dict()
    changed = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert any('conv' in key for key in changed)
    assert any('norm' in key for key in changed) == (norms == 'learn')


@pytest.mark.parametrize('head', [HEAD, RETINA], ids=['FasterRCNN', 'RetinaNet'])
def test_boxes_are_exact_under_mixed_precision(head):
    """bfloat16 knows places from 512 to 1,024 pixels in steps of 4."""
    model = build(head=dict(head, min_sizes=[600], max_size=1000)).eval()
    seen = []
    generator = model.head.rpn.anchor_generator if head is HEAD else model.head.anchor_generator
    generator.register_forward_hook(lambda module, inputs, anchors: seen.append(anchors[0]))
    (model.head.roi_heads if head is HEAD else model.head).score_thresh = 0.0
    image = torch.randn(3, 60, 100)
    with torch.no_grad():
        model([image])
        with torch.autocast('cpu', torch.bfloat16):
            (answer,) = model([image])
    assert torch.equal(*seen)
    assert seen[0].max() > 512
    assert answer['boxes'].dtype == answer['scores'].dtype == torch.float32
    assert not torch.equal(answer['boxes'], answer['boxes'].bfloat16().float())


def test_features_of_whole_images_are_there_too():
    assert build().extract(torch.zeros(2, 3, 64, 64)).shape == (2, 32)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(backbone=dict(type='VGG')), 'VGG gives its last map alone'),
        (dict(backbone=dict(type='TorchvisionModel')), 'TorchvisionModel gives its last map alone'),
        (dict(head=dict(HEAD, strides=[4, 32])), r'ReActNet has maps at strides 2, 4, 8, 16, and .* asks for 4, 32'),
        (dict(head=dict(HEAD, strides=[8, 4])), 'in rising order'),
        (dict(head=dict(HEAD, num_classes=0)), 'num_classes 0 of a detector'),
        (dict(head=dict(HEAD, num_classes=None)), 'num_classes is None; it must be int'),
        (dict(head=dict(HEAD, min_sizes=[800])), 'max_size 96'),
        (dict(head=dict(HEAD, anchor=3)), "does not take 'anchor'"),
        (dict(norms='sync'), "norms 'sync' of Detector is unknown"),
        (dict(data_preprocessor=None), 'normalised as its backbone'),
    ],
)
def test_bad_settings_are_told(changes, message):
    with pytest.raises(ConfigError, match=message):
        build(**changes)


def test_a_set_without_boxes_is_told():
    model = build()
    with pytest.raises(ConfigError, match='VOCDetection'):
        model(torch.zeros(2, 3, 64, 64), torch.zeros(2, dtype=torch.int64), mode='loss')
    with pytest.raises(ValueError, match="'logits' is unknown"):
        model(torch.zeros(2, 3, 64, 64), mode='logits')
