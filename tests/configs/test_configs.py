"""Every config reads, names parts that exist, and the published recipes say what the papers say."""

import ast
import copy
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config

from binssl.engine.config import load_config
from binssl.engine.config_index import stands_for
from binssl.engine.preflight_parts import check_parts
from binssl.registry import ALGORITHMS, ConfigError

ROOT = Path(__file__).parents[2]
LEAVES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / 'configs').rglob('*.py')
    if not {'_base_', 'recipes', 'suites'} & set(path.parts)
)


@cache
def load(path: str) -> Config:
    return load_config(ROOT / path)


def read(path: str) -> Config:
    """The config at ``path``, for the caller to change; the file is read once for all tests."""
    return copy.deepcopy(load(path))


def other_name_of(path: str) -> str | None:
    """The config that an alias is another name of."""
    name = stands_for(ast.parse((ROOT / path).read_text()))
    return name and Path(path).with_name(name).as_posix()


ALIASES = {path: name for path in LEAVES if (name := other_name_of(path))}


@pytest.mark.parametrize('path', LEAVES)
def test_config_reads_and_all_its_parts_exist(path: str) -> None:
    cfg = read(path)
    if cfg.get('model') and cfg.model.get('backbone') is None:
        cfg.model.backbone = dict(type='Pixels')  # a weights file says which
    assert check_parts(cfg) == []
    assert (ROOT / path).read_text().startswith('"""'), 'a config says in its head what it is'


def test_inputs_in_work_dirs_are_those_of_a_config_or_the_file_says_what_makes_them() -> None:
    for path in LEAVES:
        cfg = load(path)
        teacher = (cfg.get('model') or {}).get('teacher') or {}
        for name, file in dict(load_from=cfg.get('load_from'), teacher=teacher.get('checkpoint')).items():
            if str(file).startswith('work_dirs/'):
                follows = (ROOT / file.replace('work_dirs', 'configs', 1)).parent.with_suffix('.py').is_file()
                hint = (cfg.get('how_to_get') or {}).get(name) or ''
                assert hint.startswith('or ') if follows and hint else bool(hint) != follows, f'{path}: {name}'


def test_burn_follows_the_paper() -> None:
    cfg = read('configs/selfsup/burn/stage2.py')
    assert cfg.global_batch_size == 256 * 8 * 2
    assert (cfg.optim_wrapper.optimizer.type, cfg.optim_wrapper.optimizer.lr) == ('Adam', 3e-4)
    assert cfg.optim_wrapper.optimizer.weight_decay == 0
    assert cfg.train_cfg.max_epochs == 200
    assert dict(cfg.schedules.kl_weight) == dict(target='head.kl_weight', curve='cosine', start=0.1, end=0.3)
    lr = dict(target='lr', curve='cosine', end=0.0, by='epoch', warmup_epochs=10, warmup_ratio=1e-4)
    assert dict(cfg.schedules.lr) == lr
    assert list(cfg.model.head.projector.widths) == list(cfg.model.target_head.widths) == [2000, 2000]
    assert cfg.model.head.temperature == 0.2
    assert cfg.model.backbone.conv_cfg.to_dict() == dict(
        type='BinaryConv2d', activation=dict(type='ApproxSign'), weight=dict(type='ScaledSign', ste='clip')
    )


def test_published_and_former_names_stand_for_configs_and_say_so() -> None:
    burn = 'configs/selfsup/burn'
    for stage in (1, 2):
        published = f'{burn}/react_burn_stage{stage}_bs2048_accumulate2_ep200_fp16.py'
        assert ALIASES[published] == f'{burn}/released_stage{stage}.py'
    assert ALIASES[f'{burn}/stage1_cpu.py'] == f'{burn}/stage1_fast_views.py'
    for path, name in ALIASES.items():
        assert name not in ALIASES
        assert load(path).to_dict() == load(name).to_dict()


def test_released_variant_differs_from_the_paper_where_the_release_does() -> None:
    cfg = read('configs/selfsup/burn/released_stage2.py')
    assert cfg.model.train_target_head is False
    assert cfg.model.head.feature_similarity == 'outputs'
    assert cfg.model.backbone.conv_cfg.activation.type == 'BoxSign'
    assert cfg.model.backbone.conv_cfg.weight.to_dict() == dict(type='ScaledSign', ste='identity', scale_gradient=True)


@pytest.mark.parametrize('name', ['stage1', 'stage2', 'released_stage1', 'released_stage2'])
def test_imagenet_students_build_and_teacher_widths_fit(name: str) -> None:
    cfg = read(f'configs/selfsup/burn/{name}.py')
    with pytest.raises(ConfigError, match='moco_v2_800ep_pretrain'):
        ALGORITHMS.build(cfg.model)
    student = dict(type='Encoder', backbone=cfg.model.backbone, neck=cfg.model.neck, head=cfg.model.head)
    assert ALGORITHMS.build(student).out_channels == 1024
