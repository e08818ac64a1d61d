"""Every method x backbone x precision builds and takes a step; precisions hand over to each other."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from contracts.small import batch
from contracts.test_gradients import vanishing
from methods.mixed import IMAGES, METHODS, PLANS, PRECISIONS, ROWS, SIDE, backbone_config, model_config, views

from binssl.checkpoints import load_weights
from binssl.registry import ALGORITHMS, BACKBONES


def removed_again(model: torch.nn.Module, precision: str) -> set[str]:
    """What adds the same to all images in front of a BatchNorm; its gradient is 0 but for rounding.

    Besides biases: a shift in front of a real convolution, wholly where no border is seen (1x1 convolutions, maps of
    one pixel), and the last shift of a trunk in front of a projector that normalises.
    """
    names = [name for name, _ in model.named_parameters() if name.endswith(('shift.bias', 'shift_out.bias'))]
    ends = [name for name in names if name.startswith('backbone.')][-1:]
    shifts = names if precision == 'real' else ends if hasattr(model.head.projector, 'norm0') else []
    return vanishing(model) | set(shifts)


@pytest.mark.parametrize(('method', 'plan', 'precision'), ROWS)
def test_step_moves_what_learns_and_nothing_else(method: str, plan: str, precision: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = model_config(method, plan, precision, tmp_path)
    model = ALGORITHMS.build(config).double().train()
    parts = dict(model.named_parameters())
    learning = {name for name in parts if name.split('.')[0] in METHODS[method][1]}
    assert {name for name, weight in parts.items() if weight.requires_grad} == learning
    still = [*getattr(getattr(model, 'teacher', None), '_hidden', ())]  # of a frozen teacher
    before = {name: weight.detach().clone() for name, weight in parts.items()}
    extractor = [value.clone() for part in still for value in part.state_dict().values()]
    optimizer = torch.optim.Adam([weight for weight in parts.values() if weight.requires_grad], lr=1e-3)

    given = model.data_preprocessor(batch(views(config, model.views), images=IMAGES))
    loss = model(**given, mode='loss')['loss']
    loss.backward()
    optimizer.step()

    assert loss.isfinite()
    gradients = {name: weight.grad for name, weight in parts.items() if weight.grad is not None}
    assert gradients.keys() == learning
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    silent = {name for name, gradient in gradients.items() if gradient.abs().max() < 1e-12}
    assert silent <= removed_again(model, precision)
    assert all(weight.isfinite().all() for weight in parts.values())
    moved = {name for name, weight in parts.items() if not torch.equal(weight, before[name])}
    assert learning - silent <= moved <= learning
    after = [value for part in still for value in part.state_dict().values()]
    assert all(torch.equal(value, other) for value, other in zip(extractor, after, strict=True))


@pytest.mark.parametrize('plan', PLANS)
def test_real_weights_go_on_as_binary_input_and_these_as_binary(plan: str) -> None:
    images = torch.randn(IMAGES, 3, SIDE, SIDE)
    outputs, weights = [], None
    for seed, precision in enumerate(PRECISIONS):
        torch.manual_seed(seed)
        trunk = BACKBONES.build(backbone_config(plan, precision))
        if weights is not None:
            report = load_weights(trunk, weights)
            assert (len(report.loaded), report.missed, report.ignored) == (len(weights), (), ())
            assert all(torch.equal(value, weights[key]) for key, value in trunk.state_dict().items())
        weights = {key: value.clone() for key, value in trunk.state_dict().items()}
        outputs.append(trunk(images)[-1])
    assert all(output.isfinite().all() for output in outputs)
    assert not any(torch.allclose(output, other) for output, other in pairwise(outputs))
