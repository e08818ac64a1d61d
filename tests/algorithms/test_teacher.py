"""Teachers: what a frozen one reads and hides, how a momentum one follows."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import pytest
import torch
from contracts.small import BACKBONE, MOCO, NECK, TEACHER_BACKBONE, build, changed, write_teacher
from torch import nn

from binssl.algorithms import FrozenTeacher, MomentumTeacher
from binssl.checkpoints import read_checkpoint, write_checkpoint
from binssl.registry import ALGORITHMS, ConfigError

IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def frozen(path: Path | str | None, **options: object) -> FrozenTeacher:
    config = dict(type='FrozenTeacher', backbone=TEACHER_BACKBONE, checkpoint=path)
    return ALGORITHMS.build(dict(config, **options))


def trunk_of(path: str) -> dict[str, torch.Tensor]:
    """The file's trunk under torchvision's names."""
    weights = read_checkpoint(path)['state_dict']
    return {key.removeprefix('backbone.'): value for key, value in weights.items()}


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_teacher(tmp_path / 'teacher.pth')


def as_moco(trunk: dict[str, torch.Tensor]) -> dict:
    """The layout of moco_v2_800ep_pretrain.pth.tar."""
    state = {f'module.encoder_q.{key}': value for key, value in trunk.items()}
    state |= {f'module.encoder_k.{key}': value + 1 for key, value in trunk.items()}
    state |= {f'module.encoder_q.fc.{leaf}': torch.ones(3) for leaf in ('0.weight', '0.bias', '2.weight')}
    state |= {'module.queue': torch.ones(128, 4), 'module.queue_ptr': torch.zeros(1)}
    return dict(epoch=800, arch='resnet50', state_dict=state, optimizer=dict(state={}, param_groups=[]))


def as_bare(trunk: dict[str, torch.Tensor]) -> dict:
    """The layout of fp_teacher/moco/moco_v2_800ep.pth."""
    return dict(state_dict=dict(trunk, **{'fc.weight': torch.ones(10, 16), 'fc.bias': torch.ones(10)}))


def as_simsiam(trunk: dict[str, torch.Tensor]) -> dict:
    """The layout of simsiam's checkpoint_0099.pth.tar: the prefix, and other parts behind another one."""
    state = {f'module.encoder.{key}': value for key, value in trunk.items()}
    state |= {'module.encoder.fc.0.weight': torch.ones(3), 'module.predictor.0.weight': torch.ones(3)}
    return dict(epoch=100, arch='resnet50', state_dict=state)


def as_ours_in_training(trunk: dict[str, torch.Tensor]) -> dict:
    """A training checkpoint of ours, momentum copy and queue included."""
    state = {
        f'{part}backbone.{key}': value + (part == 'teacher.')
        for key, value in trunk.items()
        for part in ('', 'teacher.')
    }
    state |= {'queue': torch.ones(4, 4), 'head.fc.weight': torch.ones(2)}
    return dict(format_version=1, state_dict=state)


@pytest.mark.parametrize('layout', [as_moco, as_bare, as_simsiam, as_ours_in_training])
def test_published_and_own_files_give_the_same_teacher(layout, file, tmp_path):
    wanted = frozen(file).extract(IMAGES)
    write_checkpoint(layout(trunk_of(file)), tmp_path / 'other.pth')
    assert torch.equal(frozen(tmp_path / 'other.pth').extract(IMAGES), wanted)
    assert wanted.std() > 0


def test_file_with_the_arguments_of_its_script_is_read(file, tmp_path):
    torch.save(dict(as_bare(trunk_of(file)), args=argparse.Namespace(lr=0.03)), tmp_path / 'args.pth')
    assert torch.equal(frozen(tmp_path / 'args.pth').extract(IMAGES), frozen(file).extract(IMAGES))


def test_outputs_are_those_of_the_trunk_in_eval_mode(file):
    encoder = ALGORITHMS.build(dict(type='Encoder', backbone=TEACHER_BACKBONE))
    encoder.load_state_dict(read_checkpoint(file)['state_dict'])
    teacher = frozen(file).train()
    assert torch.equal(teacher.extract(IMAGES), encoder.eval().extract(IMAGES))
    assert torch.equal(teacher.extract(IMAGES[:2]), teacher.extract(IMAGES)[:2])


def test_hash_and_width_are_on_record(file):
    teacher = frozen(file)
    assert teacher.sha256 == hashlib.sha256(Path(file).read_bytes()).hexdigest()
    assert teacher.out_channels == 16


def test_it_is_hidden_and_never_learns(file):
    holder = nn.ModuleDict(dict(teacher=frozen(file), other=nn.Linear(2, 2))).train()
    assert not list(holder['teacher'].parameters())
    assert not list(holder['teacher'].buffers())
    assert set(holder.state_dict()) == {'other.weight', 'other.bias'}
    assert not any(module.training for module in holder['teacher']._hidden[0].modules())
    assert not holder['teacher'].extract(IMAGES.clone().requires_grad_()).requires_grad


def test_it_moves_with_its_holder(file):
    holder = nn.ModuleDict(dict(teacher=frozen(file))).double()
    assert holder['teacher'].extract(IMAGES.double()).dtype == torch.float64
    assert holder.to('meta')['teacher'].extract(IMAGES.double().to('meta')).is_meta


def spoiled(trunk: dict[str, torch.Tensor], fault: str) -> dict[str, torch.Tensor]:
    if fault == 'missing':
        return {key: value for key, value in trunk.items() if key != 'layer1.0.conv1.weight'}
    if fault == 'unexpected':
        return dict(trunk, **{'layer9.weight': torch.ones(1)})
    return dict(trunk, **{'conv1.weight': torch.ones(8, 1, 3, 3)})


@pytest.mark.parametrize('layout', [as_moco, as_bare])
@pytest.mark.parametrize(
    ('fault', 'table'),
    [
        ('missing', r'missing \(1\)[\s\S]*backbone.layer1.0.conv1.weight'),
        ('unexpected', r'unexpected \(1\)[\s\S]*backbone.layer9.weight'),
        ('reshaped', r'other shape \(1\)[\s\S]*backbone.conv1.weight \(8, 1, 3, 3\), needed \(8, 3, 3, 3\)'),
    ],
)
def test_less_than_all_of_it_is_an_error_with_a_table(layout, fault, table, file, tmp_path):
    write_checkpoint(layout(spoiled(trunk_of(file), fault)), tmp_path / 'other.pth')
    with pytest.raises(ConfigError, match='the frozen teacher does not fit its checkpoint') as error:
        frozen(tmp_path / 'other.pth')
    assert error.match(table)


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        (None, 'a frozen teacher needs a checkpoint, and none is given'),
        ('', 'a frozen teacher needs a checkpoint, and none is given'),
        ('work_dirs/nothing.pth', 'of the frozen teacher is missing: work_dirs/nothing.pth; train one'),
    ],
)
def test_no_checkpoint_is_an_error(checkpoint, message):
    with pytest.raises(ConfigError, match=message):
        frozen(checkpoint)


def test_unreadable_checkpoint_is_an_error(tmp_path):
    (tmp_path / 'torn.pth').write_bytes(b'PK\x03\x04 torn')
    with pytest.raises(ConfigError, match=r'torn\.pth'):
        frozen(tmp_path / 'torn.pth')


def student() -> tuple[nn.Module, ...]:
    model = build(dict(type='Encoder', backbone=BACKBONE, neck=NECK, head=MOCO['head']), Path())
    return model.backbone, model.neck, model.head


def test_momentum_teacher_follows_by_the_mean_of_the_paper():
    parts = student()
    teacher = MomentumTeacher(*parts, momentum=0.9)
    before = {name: weight.clone() for name, weight in teacher.named_parameters()}
    buffers = {name: value.clone() for name, value in teacher.named_buffers()}
    moved = dict(zip(('backbone', 'neck', 'head'), parts, strict=True))
    with torch.no_grad():
        for part in parts:
            for weight in part.parameters():
                weight.add_(torch.randn_like(weight))
    teacher.update()
    for name, weight in teacher.named_parameters():
        part, _, rest = name.partition('.')
        wanted = 0.9 * before[name] + 0.1 * moved[part].get_parameter(rest)
        torch.testing.assert_close(weight, wanted, rtol=1e-12, atol=1e-14)
    assert all(torch.equal(value, buffers[name]) for name, value in teacher.named_buffers())


@pytest.mark.parametrize(('momentum', 'follows'), [(1.0, False), (0.0, True)])
def test_momentum_of_one_stays_and_of_nought_copies(momentum, follows):
    parts = student()
    teacher = MomentumTeacher(*parts, momentum=momentum)
    with torch.no_grad():
        parts[2].projector.linear0.bias.fill_(7)
    teacher.update()
    assert (teacher.head.projector.linear0.bias == 7).all() == follows


def test_ends_of_a_schedule_are_checked_as_the_momentum_itself():
    teacher = MomentumTeacher(*student())
    teacher.check_scheduled('momentum', 0.0)
    teacher.check_scheduled('momentum', 1)
    for value in (-0.1, 1.01, float('nan')):
        with pytest.raises(ConfigError, match=rf'momentum {value} of MomentumTeacher must lie in \[0, 1\]'):
            teacher.check_scheduled('momentum', value)


def test_momentum_teacher_has_weights_of_its_own_without_gradients(tmp_path):
    model = build(MOCO, tmp_path)
    names = {key.split('.')[1] for key in model.state_dict() if key.startswith('teacher.')}
    assert names == {'backbone', 'neck', 'head'}
    assert not any(weight.requires_grad for weight in model.teacher.parameters())
    student = [weight for part in (model.backbone, model.neck, model.head) for weight in part.parameters()]
    assert all(weight.requires_grad for weight in student)
    own = {weight.data_ptr() for weight in model.teacher.parameters()}
    assert not own & {weight.data_ptr() for weight in student}


def test_restart_takes_over_the_student_buffers_included(tmp_path):
    model = build(MOCO, tmp_path).train()
    with torch.no_grad():
        model.extract(torch.randn(16, 3, 8, 8).double())
        model.neck.mlp.linear0.weight.add_(1)
    model.teacher.restart()
    for name, value in model.teacher.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_log_says_what_was_loaded(file, monkeypatch):
    lines = []
    monkeypatch.setattr('binssl.algorithms.teacher_weights.print_log', lambda line, logger: lines.append(line))
    digest = frozen(file).sha256
    assert f'all of its 36 tensors loaded from {file}, SHA-256 {digest[:12]}' in lines[0]


def test_momentum_is_checked_by_the_config(tmp_path):
    with pytest.raises(ConfigError, match=r"does not take 'momentun'.*'momentum'"):
        build(changed(MOCO, teacher=dict(type='MomentumTeacher', momentun=0.9)), tmp_path)


def test_momentum_teacher_embeds_by_its_own_head(tmp_path):
    teacher = build(MOCO, tmp_path).teacher.eval()
    outputs = teacher(IMAGES.double())
    torch.testing.assert_close(teacher.embed(IMAGES.double()), outputs / outputs.norm(dim=1, keepdim=True))


HEAD = dict(type='ContrastiveHead', projector=dict(type='MLP', in_channels=16, widths=[16, 6], norm=None))


def test_frozen_teacher_embeds_by_its_head(tmp_path):
    teacher = frozen(write_teacher(tmp_path / 'teacher.pth', head=HEAD), head=HEAD)
    outputs = teacher(IMAGES)
    assert (teacher.out_channels, teacher.embedding_channels) == (16, 6)
    torch.testing.assert_close(teacher.embed(IMAGES), outputs / outputs.norm(dim=1, keepdim=True))
    assert not teacher.embed(IMAGES.clone().requires_grad_()).requires_grad


def test_a_head_without_embeddings_gives_its_output(tmp_path):
    head = dict(type='LinearHead', in_channels=16, num_classes=5)
    teacher = frozen(write_teacher(tmp_path / 'teacher.pth', head=head), head=head)
    assert teacher.embedding_channels == 5
    assert torch.equal(teacher.embed(IMAGES), teacher(IMAGES))


def test_without_a_head_there_is_no_embedding(file):
    assert frozen(file).embedding_channels is None


@pytest.mark.parametrize(('precision', 'dtype'), [('fp16', torch.float16), ('bf16', torch.bfloat16)])
def test_lower_precision_is_autocast_and_gives_float32(precision, dtype, tmp_path):
    path = write_teacher(tmp_path / 'teacher.pth', head=HEAD)
    exact, lower = frozen(path, head=HEAD), frozen(path, head=HEAD, precision=precision)
    seen = []
    lower._hidden[0].backbone.layer1.register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    for run in ('extract', 'embed', '__call__'):
        wanted, given = getattr(exact, run)(IMAGES), getattr(lower, run)(IMAGES)
        assert given.dtype == torch.float32
        assert not torch.equal(given, wanted)
        torch.testing.assert_close(given, wanted, rtol=0.1, atol=0.1)
    assert set(seen) == {dtype}


def test_lower_precision_leaves_a_float64_model_alone(file):
    exact, lower = frozen(file).double(), frozen(file, precision='bf16').double()
    assert torch.equal(lower.extract(IMAGES.double()), exact.extract(IMAGES.double()))


def test_outputs_are_float32_where_the_student_trains_in_mixed_precision(file):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert frozen(file).extract(IMAGES).dtype == torch.float32


def test_unknown_precision_is_an_error(file):
    with pytest.raises(ConfigError, match="precision 'fp61' of FrozenTeacher is unknown; did you mean 'fp16'"):
        frozen(file, precision='fp61')


FULL = dict(type='TorchvisionResNet', depth=50)
MOCO_HEAD = dict(type='ContrastiveHead', projector=dict(type='MLP', in_channels=2048, widths=[2048, 128], norm=None))


@pytest.fixture(scope='module')
def published(tmp_path_factory) -> tuple[Path, dict[str, torch.Tensor]]:
    """moco_v2_800ep_pretrain.pth.tar with other weights, and what it holds under our names."""
    torch.manual_seed(0)
    encoder = ALGORITHMS.build(dict(type='Encoder', backbone=FULL, head=MOCO_HEAD))
    ours = encoder.state_dict()
    names = {'head.projector.linear0': 'fc.0', 'head.projector.linear1': 'fc.2'}
    state = {}
    for key, value in ours.items():
        layer, _, leaf = key.rpartition('.')
        theirs = f'{names[layer]}.{leaf}' if layer in names else key.removeprefix('backbone.')
        state |= {f'module.encoder_q.{theirs}': value, f'module.encoder_k.{theirs}': value}
    state |= {'module.queue': torch.ones(128, 4), 'module.queue_ptr': torch.zeros(1)}
    path = tmp_path_factory.mktemp('published') / 'moco_v2_800ep_pretrain.pth.tar'
    write_checkpoint(dict(epoch=800, arch='resnet50', state_dict=state), path)
    return path, ours


def test_a_published_head_is_read_by_its_layout(published):
    path, ours = published
    teacher = frozen(path, backbone=FULL, head=MOCO_HEAD, layout='moco_v2_resnet50')
    assert all(torch.equal(value, ours[key]) for key, value in teacher._hidden[0].state_dict().items())
    assert teacher.embedding_channels == 128
    assert teacher.trained_with['mean'] == [123.675, 116.28, 103.53]
    trunk = frozen(path, backbone=FULL, layout='moco_v2_resnet50')
    assert trunk.embedding_channels is None


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(head=MOCO_HEAD), r'missing \(4\)[\s\S]*a published head is read by its layout: .*moco_v2_resnet50'),
        (dict(layout='burn_reactnet'), 'not a burn_reactnet checkpoint'),
        (
            dict(layout='moco_v2_resnet05'),
            "no published layout is called 'moco_v2_resnet05'; did you mean 'moco_v2_res",
        ),
        (
            dict(layout='moco_v2_resnet50', backbone=dict(FULL, stem='small')),
            r'other shape[\s\S]*backbone.conv1.weight',
        ),
    ],
)
def test_a_file_of_another_layout_is_an_error(options, message, published):
    with pytest.raises(ConfigError, match=message):
        frozen(published[0], **dict(dict(backbone=FULL), **options))
