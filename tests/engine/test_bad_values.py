"""Values of a wrong kind under every key that a config has, made from the annotations: none is taken in silence."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import torch
from engine.runs import NAMES, VALIDATION, burn
from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook
from mmengine.optim.scheduler import MultiStepParamScheduler
from torch.nn.utils import clip_grad_norm_

from binssl.datasets.digits import Digits
from binssl.datasets.sampler import EpochSampler
from binssl.engine.config import KNOWN_KEYS, load_config
from binssl.engine.loops import EpochLoop
from binssl.engine.optimiser import PARAMWISE, OptimWrapper
from binssl.engine.preflight import problems_of, trial_problems
from binssl.engine.preflight_parts import SECTIONS
from binssl.hooks import CheckpointHook, NotANumberHook, ProgressHook, WeightSignHook
from binssl.hooks.schedule import Schedule
from binssl.registry import ConfigError

CLIPPING = dict(max_norm=1.0)
PARTS: dict[str, Any] = {
    'train_cfg': EpochLoop,
    'train_dataloader.sampler': EpochSampler,
    'train_dataloader.dataset': Digits,
    'optim_wrapper': OptimWrapper,
    'optim_wrapper.optimizer': torch.optim.AdamW,
    'optim_wrapper.clip_grad': clip_grad_norm_,
    'schedules.lr': Schedule,
    'schedules.kl': Schedule,
    'param_scheduler.0': MultiStepParamScheduler,
    'custom_hooks.0': EarlyStoppingHook,
    'default_hooks.checkpoint': CheckpointHook,
    'default_hooks.progress': ProgressHook,
    'default_hooks.weight_signs': WeightSignHook,
    'default_hooks.not_a_number': NotANumberHook,
    'compile': torch.compile,
}
HINTS: dict[str, dict[str, Any]] = {'': KNOWN_KEYS, **SECTIONS, 'optim_wrapper.paramwise_cfg': PARAMWISE}
PLAIN = (bool, int, float, str, list, dict, tuple)
FILLED = {'train_dataloader.collate_fn', 'custom_hooks.0.type'}


def hints_of(part: Any) -> dict[str, Any]:
    return get_type_hints(part.__init__ if inspect.isclass(part) else part)


def kinds(hint: Any) -> set[Any]:
    """The plain types in a hint, read here by rules of the test's own."""
    origin = get_origin(hint) or hint
    if origin in PLAIN:
        return {origin}
    if str(origin).endswith('Literal'):
        return {type(choice) for choice in get_args(hint)}
    return {kind for choice in get_args(hint) for kind in kinds(choice)}


def wrong(hint: Any) -> Iterator[Any]:
    """Values of types that the hint does not name."""
    named = kinds(hint)
    if not named:
        return
    if str not in named:
        yield 'no'
    if not named & {int, float}:
        yield 7
    if not named & {list, tuple, dict}:
        yield [[]]
    if int in named and not named & {float, bool}:
        yield 0.5
        yield True


def cases() -> Iterator[tuple[str, Any]]:
    tables = {**{place: hints_of(part) for place, part in PARTS.items()}, **HINTS}
    for place, hints in tables.items():
        for key, hint in hints.items():
            name = f'{place}.{key}'.lstrip('.')
            if key not in ('return', 'optimizer') or place == '':
                yield from ((name, value) for value in wrong(hint) if name not in FILLED)


CASES = list(dict.fromkeys((name, repr(value)) for name, value in cases()))
RANGES = [
    ('optim_wrapper.clip_grad.max_norm', '-1'),
    ('optim_wrapper.clip_grad.max_norm', '0'),
    ('optim_wrapper.clip_grad.norm_type', '0'),
    ('optim_wrapper.optimizer.lr', '-1'),
    ('optim_wrapper.optimizer.lr', "float('nan')"),
    ('optim_wrapper.optimizer.betas', '(0.9,)'),
    ('optim_wrapper.optimizer.betas', "(0.9, 'x')"),
    ('optim_wrapper.accumulative_counts', '0'),
    ('optim_wrapper.precision', "'fp8'"),
    ('train_cfg.val_interval', '0'),
    ('train_cfg.val_begin', '-1'),
    ('train_dataloader.timeout', '-1'),
    ('auto_scale_lr.base_batch_size', '0'),
    ('global_batch_size', '-256'),
    ('env_cfg.mp_cfg.mp_start_method', "'thread'"),
    ('env_cfg.mp_cfg.opencv_num_threads', '-1'),
    ('randomness.seed', '-1'),
    ('device', "'tpu'"),
    ('log_level', "'LOUD'"),
    ('sync_bn', '[5]'),
    ('how_to_get', 'dict(teacher=5)'),
    ('model_wrapper_cfg', "dict(find_unused_parameters='no')"),
    ('model_wrapper_cfg', 'dict(find_unused=True)'),
]


@pytest.fixture(scope='module')
def sound(tmp_path_factory) -> Config:
    """A config with every section, with which nothing is wrong."""
    folder = tmp_path_factory.mktemp('sound')
    sections = {name: {} for name in SECTIONS if '.' not in name and not name.endswith('dataloader')}
    env = dict(env_cfg=dict(mp_cfg={}, dist_cfg={}), visualizer=dict(type='Visualizer', vis_backends=[]))
    cfg = burn(folder, **{**sections, **env, **VALIDATION}, compile={}, optim_wrapper__clip_grad=CLIPPING)
    cfg.test_dataloader = cfg.val_dataloader
    cfg.custom_hooks = [dict(type='EarlyStoppingHook', monitor='knn_top1')]
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook')
    cfg.default_hooks.weight_signs = dict(type='WeightSignHook')
    cfg.default_hooks.not_a_number = dict(type='NotANumberHook')
    cfg.param_scheduler = [dict(type='MultiStepMomentum', milestones=[1])]
    cfg.experiment_name = f'test_{next(NAMES)}'
    cfg.dump(str(folder / 'config.py'))
    return load_config(folder / 'config.py')


def told(cfg: Config, name: str, value: Any) -> str:
    """What is said of the config with one value changed, before anything is trained."""
    try:
        cfg = load_config(cfg.filename, {name: value})
    except ConfigError as error:
        return str(error)
    problems = problems_of(cfg)
    return '\n'.join(problems or trial_problems(cfg, 1, 1, 'cpu', build_model=True))


def test_without_a_bad_value_nothing_is_said(sound):
    assert told(sound, 'resume', False) == ''


def test_there_are_cases_of_every_section():
    assert len(CASES) > 120
    assert {name.rpartition('.')[0] for name, _ in CASES} >= {*PARTS, *HINTS}


@pytest.mark.parametrize(('name', 'value'), CASES + RANGES)
def test_a_value_that_the_annotation_does_not_name_is_told_with_its_key(name, value, sound):
    answer = told(sound, name, eval(value))
    assert name.rpartition('.')[2] in answer
    assert all(part in answer for part in ([] if value.startswith('dict') else [str(eval(value)).strip("'")[:4]]))
