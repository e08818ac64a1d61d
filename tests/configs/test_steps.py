"""Every config that trains is built at reduced size and takes one step of its own optimiser."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from configs.shrink import small_batch, small_model
from configs.test_configs import ALIASES, LEAVES, load, read

from binssl.registry import ALGORITHMS, HOOKS, OPTIM_WRAPPER_CONSTRUCTORS

TRAINING = [path for path in LEAVES if path not in ALIASES and load(path).get('optim_wrapper')]

SECOND_STEPS = [
    path
    for path in TRAINING
    if str(load(path).get('load_from')).startswith(('work_dirs/selfsup/', 'work_dirs/supervised/'))
]


@pytest.mark.parametrize('path', SECOND_STEPS)
def test_second_step_has_every_weight_of_the_first_and_no_other(path: str, tmp_path: Path) -> None:
    cfg = read(path)
    first = Path(cfg.load_from.replace('work_dirs', 'configs', 1)).parent.with_suffix('.py')
    models = [ALGORITHMS.build(small_model(config, tmp_path)) for config in (read(first.as_posix()), cfg)]
    before, after = ({name: value.shape for name, value in model.state_dict().items()} for model in models)
    assert before == after


@pytest.mark.parametrize('path', TRAINING)
def test_config_takes_one_optimiser_step_at_reduced_size(path: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    cfg = read(path)
    model = ALGORITHMS.build(small_model(cfg, tmp_path)).train()
    batch = small_batch(cfg)
    assert len(batch['images']) == model.views
    if cfg.get('schedules'):  # each scheduled value exists
        anneal = HOOKS.build(dict(type='AnnealHook', schedules=cfg.schedules.to_dict()))
        anneal.before_train(SimpleNamespace(model=model, max_epochs=cfg.train_cfg.max_epochs))
    wrapper_cfg = cfg.optim_wrapper.to_dict()
    wrapper_cfg.pop('precision', None)  # a loss scaler may skip the first step, and this is the only one
    constructor = dict(
        type='DefaultOptimWrapperConstructor',
        paramwise_cfg=wrapper_cfg.pop('paramwise_cfg', None),
        optim_wrapper_cfg=wrapper_cfg,
    )
    wrapper = OPTIM_WRAPPER_CONSTRUCTORS.build(constructor)(model)
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    before = {name: weight.detach().clone() for name, weight in trained.items()}

    with wrapper.optim_context(model):
        loss, _ = model.parse_losses(model(**model.data_preprocessor(batch), mode='loss'))
    wrapper.backward(loss)
    assert loss.isfinite()
    assert [name for name, weight in trained.items() if weight.grad is None or not weight.grad.isfinite().all()] == []
    wrapper.step()
    assert all(weight.isfinite().all() for weight in trained.values())
    moved = [name for name, weight in trained.items() if not torch.equal(weight, before[name])]
    assert {name.split('.')[0] for name in moved} == {name.split('.')[0] for name in trained}
