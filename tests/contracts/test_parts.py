"""What every registered algorithm, head and neck owes: one row in a table, and the whole suite applies."""

from __future__ import annotations

import copy
import inspect
from types import ModuleType

import pytest
import torch
from contracts.small import (
    BARLOW_TWINS,
    BURN,
    BYOL,
    CLASSES,
    CLASSIFIER,
    DISTILLATION,
    ENCODER,
    MIXED,
    MOCO,
    S2BNN,
    SIMSIAM,
    SOFT_LABELS,
    SWAV,
    batch,
    build,
    changed,
    sizes,
)
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor, FakeTensorMode

import binssl.algorithms
from binssl.registry import ALGORITHMS, HEADS, NECKS, Registry

# config, width of mode='tensor', entries of the loss
ALGORITHM_ROWS = {
    'Encoder': (ENCODER, 12, None),
    'Encoder with a head': (changed(ENCODER, head=MOCO['head']), 6, None),
    'Classifier': (CLASSIFIER, CLASSES, {'loss', 'top1', 'top5'}),
    'Classifier, mixed images': (MIXED, CLASSES, {'loss', 'top1', 'top5'}),
    'Classifier, soft labels': (SOFT_LABELS, CLASSES, {'loss', 'top1', 'top5', 'kl', 'teacher_top1'}),
    'Classifier, soft and hard labels, mixed images': (
        dict(SOFT_LABELS, mix=MIXED['mix'], soft_label_weight=0.5),
        CLASSES,
        {'loss', 'top1', 'top5', 'kl', 'teacher_top1'},
    ),
    'Classifier, norms alone': (changed(CLASSIFIER, learns='norms'), CLASSES, {'loss', 'top1', 'top5'}),
    'MoCo': (MOCO, 6, {'loss', 'top1', 'top5'}),
    'BYOL': (BYOL, 6, {'loss', 'feature_std'}),
    'SimSiam': (SIMSIAM, 6, {'loss', 'feature_std'}),
    'BarlowTwins': (BARLOW_TWINS, 6, {'loss', 'on_diagonal', 'off_diagonal', 'feature_std'}),
    'SwAV': (SWAV, 6, {'loss', 'feature_std'}),
    'SwAV with a queue': (changed(SWAV, queue_length=16), 6, {'loss', 'feature_std'}),
    'S2BNN, distillation only': (DISTILLATION, 6, {'loss', 'distillation', 'kl', 'teacher_entropy', 'student_entropy'}),
    'S2BNN, contrastive and distillation': (
        S2BNN,
        6,
        {'loss', 'distillation', 'kl', 'teacher_entropy', 'student_entropy', 'contrastive', 'top1', 'top5'},
    ),
    'BURN': (BURN, 20, {'loss', 'kl', 'teacher_entropy', 'student_entropy', 'feature_distance', 'information'}),
    'BURN without KL': (
        changed(BURN, head__kl=False, head__projector=None, head__in_channels=12, target_head=None),
        12,
        {'loss', 'feature_distance'},
    ),
}
TRAINED = [row for row, (_, _, entries) in ALGORITHM_ROWS.items() if entries]

# registry, config, input shape, output shape
PART_ROWS = {
    'MLP': (NECKS, dict(type='MLP', in_channels=6, widths=[8, 4], last_norm=True), (5, 6), (5, 4)),
    'PoolMLP': (NECKS, dict(type='PoolMLP', in_channels=6, widths=[4], pool_norm='BN'), (5, 6, 3, 2), (5, 4)),
    'ContrastiveHead': (HEADS, MOCO['head'], (5, 12), (5, 6)),
    'DistillationHead': (HEADS, dict(MOCO['head'], type='DistillationHead', student_temperature=0.1), (5, 12), (5, 6)),
    'LatentPredictionHead': (HEADS, BYOL['head'], (5, 12), (5, 6)),
    'CrossCorrelationHead': (HEADS, BARLOW_TWINS['head'], (5, 12), (5, 6)),
    'PrototypeHead': (HEADS, SWAV['head'], (5, 12), (5, 6)),
    'BURNHead': (HEADS, dict(BURN['head'], feature_channels=None), (5, 12), (5, 20)),
    'LinearHead': (HEADS, CLASSIFIER['head'], (5, 12), (5, CLASSES)),
    'LinearRates': (HEADS, dict(CLASSIFIER['head'], type='LinearRates', rates=[0.1, 1.0]), (5, 12), (5, 2, CLASSES)),
}

ONLY_FOR_THE_LOSS = ('predictor.', 'prototypes.')  # parts of a head that its output does not come through


def test_every_registered_part_has_a_row():
    rows = {config['type'] for config, _, _ in ALGORITHM_ROWS.values()}
    # tests of their own: parts of an algorithm, and detection, whose batches are lists
    parts = {'FrozenTeacher', 'MomentumTeacher', 'ImageNormalizer', 'Detector'}
    detectors = {'FasterRCNN', 'RetinaNet'}
    assert offered(binssl.algorithms) == registered(ALGORITHMS) == rows | parts
    for registry in (NECKS, HEADS):
        assert registered(registry) - detectors == {row for row, (of, *_) in PART_ROWS.items() if of is registry}


def offered(room: ModuleType) -> set[str]:
    """The classes that a room's ``__init__`` imports."""
    return {name for name, kind in vars(room).items() if inspect.isclass(kind)}


def registered(registry: Registry) -> set[str]:
    registry.import_from_location()  # it fills on first use
    return {name for name, kind in registry.module_dict.items() if kind.__module__.startswith('binssl.')}


@pytest.mark.parametrize('row', PART_ROWS)
class TestPart:
    def test_shape_and_gradients(self, row):
        registry, config, given, wanted = PART_ROWS[row]
        part = registry.build(config).double()
        inputs = torch.randn(given, dtype=torch.float64, requires_grad=True)
        output = part((inputs,)) if row == 'PoolMLP' else part(inputs)
        assert output.shape == wanted
        assert part.out_channels == wanted[-1]
        output.square().sum().backward()
        assert inputs.grad.isfinite().all()
        used = [weight for name, weight in part.named_parameters() if not name.startswith(ONLY_FOR_THE_LOSS)]
        assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in used)

    def test_state_dict_round_trip(self, row):
        registry, config, *_ = PART_ROWS[row]
        check_round_trip(registry.build(config), registry.build(config))

    def test_config_is_left_as_it_was(self, row):
        registry, config, *_ = PART_ROWS[row]
        before = copy.deepcopy(config)
        registry.build(config)
        assert config == before


def check_round_trip(part: nn.Module, other: nn.Module) -> None:
    other.load_state_dict(part.state_dict(), strict=True)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in part.state_dict().items())


@pytest.mark.parametrize('row', ALGORITHM_ROWS)
class TestAlgorithm:
    def test_modes(self, row, tmp_path):
        config, width, _ = ALGORITHM_ROWS[row]
        model = build(config, tmp_path).eval()
        data = model.data_preprocessor(batch(views=1))
        view = data['images'][0]
        features = model.extract(view)
        assert features.shape == (8, model.out_channels)
        outputs = model(view, mode='tensor')
        assert outputs.shape == (8, width)
        assert torch.equal(model(**data), outputs)
        (answers,) = model(**data, banks=torch.ones(8, dtype=torch.bool), mode='predict')
        assert torch.equal(answers['features'], features)
        assert torch.equal(answers['labels'], data['labels'])
        assert torch.equal(answers['indices'], data['indices'])
        assert answers['banks'].all()
        assert ('scores' in answers) == (config['type'] == 'Classifier')

    def test_unknown_mode_is_an_error(self, row, tmp_path):
        model = build(ALGORITHM_ROWS[row][0], tmp_path)
        with pytest.raises(ValueError, match="'logits' is unknown"):
            model(torch.zeros(2, 3, 8, 8).double(), mode='logits')

    def test_state_dict_holds_stable_names_and_round_trips(self, row, tmp_path):
        config = ALGORITHM_ROWS[row][0]
        model = build(config, tmp_path)
        parts = {key.split('.')[0] for key in model.state_dict()}
        assert parts <= {'backbone', 'neck', 'head', 'target_head', 'teacher', 'momentum_teacher', 'queue'}
        check_round_trip(model, build(config, tmp_path))

    def test_float64_reaches_everything(self, row, tmp_path):
        model = build(ALGORITHM_ROWS[row][0], tmp_path)
        floats = [value for value in model.state_dict().values() if value.is_floating_point()]
        assert {value.dtype for value in floats} == {torch.float64}
        assert model.data_preprocessor(batch(1))['images'][0].dtype == torch.float64

    def test_resume_equals_no_pause(self, row, tmp_path):
        config, _, entries = ALGORITHM_ROWS[row]
        if entries is None:
            pytest.skip('has no loss')
        undisturbed = build(config, tmp_path).train()
        train(undisturbed, range(4))
        first = build(config, tmp_path).train()
        optimizer = train(first, range(2))
        second = build(config, tmp_path).train()
        second.load_state_dict(first.state_dict())
        train(second, range(2, 4), optimizer.state_dict())
        state = second.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in undisturbed.state_dict().items())


def train(model: nn.Module, steps: range, optimizer_state: dict | None = None) -> torch.optim.Optimizer:
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=1e-2)
    if optimizer_state is not None:
        optimizer.load_state_dict(optimizer_state)
    for step in steps:
        optimizer.zero_grad()
        torch.manual_seed(step)  # as CounterSeedHook does
        model(**model.data_preprocessor(batch(sizes(model), seed=step)), mode='loss')['loss'].backward()
        optimizer.step()
        for part in model.children():
            if hasattr(part, 'update'):
                part.update()
    return optimizer


@pytest.mark.parametrize('row', TRAINED)
class TestLoss:
    def test_one_entry_is_minimised_and_the_others_are_for_the_log(self, row, tmp_path):
        config, _, entries = ALGORITHM_ROWS[row]
        model = build(config, tmp_path).train()
        losses = model(**model.data_preprocessor(batch(sizes(model))), mode='loss')
        assert set(losses) == entries
        assert all(value.shape == () and value.isfinite() for value in losses.values())
        assert [name for name, value in losses.items() if value.requires_grad] == ['loss']
        total, _ = model.parse_losses(losses)
        assert total.item() == losses['loss'].item()

    def test_mixed_precision_gives_a_float32_loss_near_the_exact_one(self, row, tmp_path):
        model = build(ALGORITHM_ROWS[row][0], tmp_path).float().train()
        data = model.data_preprocessor(batch(sizes(model)))
        exact = copy.deepcopy(model)(**data, mode='loss')['loss']
        with torch.autocast('cpu', dtype=torch.bfloat16):
            rounded = model(**data, mode='loss')['loss']
        assert rounded.dtype == exact.dtype == torch.float32
        rounded.backward()
        assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.requires_grad)
        # a loss in [-1, 1] starts near 0 (SimSiam)
        assert torch.isclose(rounded, exact, rtol=0.3, atol=0.05)

    def test_wrong_number_of_views_is_an_error(self, row, tmp_path):
        model = build(ALGORITHM_ROWS[row][0], tmp_path).train()
        wrong = 2 if model.views == 1 else 1
        with pytest.raises(ValueError, match=rf'needs {model.views} views?, the data set gave {wrong}'):
            model(**model.data_preprocessor(batch(wrong)), mode='loss')

    def test_forward_never_waits_for_the_device(self, row, tmp_path):
        if 'mix' in ALGORITHM_ROWS[row][0]:
            pytest.skip('draws a number on the CPU; tests/algorithms/test_mixing.py asks the same on the meta device')
        # a fake tensor has no value: whatever asks for one (item, tolist, a branch) raises
        model = build(ALGORITHM_ROWS[row][0], tmp_path).train()
        with FakeTensorMode(allow_non_fake_inputs=True) as fake:
            data = batch(sizes(model))
            images = [fake.from_tensor(view) for view in data['images']]
            data = model.data_preprocessor(dict(images=images, labels=fake.from_tensor(data['labels'])))
            losses = model(**data, mode='loss')
            assert all(isinstance(value, FakeTensor) for value in losses.values())
            with pytest.raises(DataDependentOutputException):
                losses['loss'].item()
