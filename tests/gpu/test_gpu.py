"""What only a GPU can show: the CPU's numbers on another device, half precision, nothing that waits for the device."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from contracts.small import BURN, CLASSIFIER, MOCO, batch, build
from engine.runs import classifier, run
from torch import Tensor, nn

from binssl.backbones import ReActNet
from binssl.binary import BINARY, BINARY_INPUT, REAL, build_conv
from binssl.engine import synchronise_batch_norm

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA GPU')

DEVICE = 'cuda'
BOX = dict(type='BinaryConv2d', activation=dict(type='BoxSign'), weight=dict(type='ScaledSign', ste='identity'))
CONVS = dict(real=REAL, binary_input=BINARY_INPUT, binary=BINARY, box=BOX)
precisions = pytest.mark.parametrize('config', CONVS.values(), ids=CONVS.keys())
HALVES = {torch.float16: 2e-3, torch.bfloat16: 2e-2}
halves = pytest.mark.parametrize('dtype', HALVES, ids=['fp16', 'bf16'])
algorithms = pytest.mark.parametrize(
    ('config', 'views'), [(BURN, 2), (MOCO, 2), (CLASSIFIER, 1)], ids=['burn', 'moco', 'classifier']
)
FORMATS = dict(contiguous=torch.contiguous_format, channels_last=torch.channels_last)


def gradients(module: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Output, and the gradients of a fixed weighted sum of it, on the CPU."""
    output = module(images)
    output = output if isinstance(output, Tensor) else output[-1]
    weights = torch.linspace(-1, 1, output.numel(), dtype=torch.float64).view(output.shape).to(output)
    given = torch.autograd.grad((output * weights).sum(), [p for p in module.parameters() if p.requires_grad])
    return output.detach().cpu(), [gradient.cpu() for gradient in given]


@contextmanager
def nothing_may_wait() -> Iterator[None]:
    """An operation that waits for the device is an error."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@precisions
@pytest.mark.parametrize('memory_format', FORMATS.values(), ids=FORMATS.keys())
def test_convolution_equals_the_cpus_in_double(config: dict, memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    conv = build_conv(config, 16, 24, 3, stride=2, padding=1).double()
    images = torch.randn(4, 16, 9, 9, dtype=torch.float64)
    expected, wanted = gradients(conv, images)
    on_gpu = conv.to(DEVICE, memory_format=memory_format)
    got, found = gradients(on_gpu, images.to(DEVICE, memory_format=memory_format))
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@halves
def test_half_precision_is_near_the_cpus_single(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    conv = build_conv(BINARY, 64, 32, 3, padding=1)
    images = torch.randn(4, 64, 8, 8)
    expected, wanted = gradients(conv, images)
    with torch.autocast('cuda', dtype):
        got, found = gradients(conv.to(DEVICE), images.to(DEVICE))
    assert got.dtype == dtype
    assert [gradient.dtype for gradient in found] == [torch.float32]
    scale = expected.abs().max()
    torch.testing.assert_close(got.float(), expected, rtol=0, atol=float(HALVES[dtype] * scale))
    torch.testing.assert_close(found[0], wanted[0], rtol=0, atol=float(10 * HALVES[dtype] * wanted[0].abs().max()))


def test_channels_last_comes_out_as_it_went_in() -> None:
    conv = build_conv(BINARY, 16, 16, 3, padding=1).to(DEVICE, memory_format=torch.channels_last)
    images = torch.randn(2, 16, 8, 8, device=DEVICE).to(memory_format=torch.channels_last)
    for context in (torch.no_grad(), torch.enable_grad()):
        with context:
            assert conv(images).is_contiguous(memory_format=torch.channels_last)


def train(network: nn.Module, images: Tensor, steps: int) -> list[float]:
    """``steps`` of Adam on the sum of squares of the last map."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(steps):
        loss = network(images)[-1].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_reactnet_trains_as_on_the_cpu_in_double() -> None:
    torch.manual_seed(0)
    network = ReActNet(channels=[8, 16, 32], strides=[1, 2], conv_cfg=BINARY).double()
    twin = copy.deepcopy(network).to(DEVICE)
    images = torch.randn(8, 3, 32, 32, dtype=torch.float64)
    expected, got = train(network, images, 4), train(twin, images.to(DEVICE), 4)
    assert got == pytest.approx(expected, rel=1e-6)
    assert got[-1] != got[0]


@algorithms
@pytest.mark.parametrize('dtype', [None, *HALVES], ids=['fp32', 'fp16', 'bf16'])
def test_a_step_waits_for_nothing(config: dict, views: int, dtype: torch.dtype | None, tmp_path: Path) -> None:
    model = build(config, tmp_path).float().to(DEVICE).train()
    data = model.data_preprocessor(batch(views, images=8))

    def step() -> Tensor:
        with torch.autocast('cuda', dtype, enabled=dtype is not None):
            loss = model(**data, mode='loss')['loss']
        loss.backward()
        return loss

    step()  # the first call may set up libraries
    with nothing_may_wait():
        loss = step()
    assert torch.isfinite(loss)


@algorithms
def test_losses_equal_the_cpus_in_double(config: dict, views: int, tmp_path: Path) -> None:
    model = build(config, tmp_path).train()
    data = model.data_preprocessor(batch(views, images=8))
    twin = copy.deepcopy(model).to(DEVICE)
    expected = model(**data, mode='loss')['loss'].item()
    got = twin(**twin.data_preprocessor(batch(views, images=8)), mode='loss')['loss'].item()
    assert got == pytest.approx(expected, rel=1e-9)


def test_synchronised_batch_norm_is_torchs_on_a_gpu() -> None:
    torch.manual_seed(0)
    maps, features = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)], [nn.Linear(288, 4), nn.BatchNorm1d(4)]
    model = nn.Sequential(*maps, nn.Flatten(), *features).to(DEVICE)
    images = torch.randn(8, 3, 8, 8, device=DEVICE)
    names, expected = list(model.state_dict()), copy.deepcopy(model)(images)
    assert synchronise_batch_norm(model, True, on_gpu=True) == 2
    assert [type(model[place]) for place in (1, 4)] == [nn.SyncBatchNorm] * 2
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model(images), expected)


@pytest.mark.parametrize('precision', [None, 'fp16', 'bf16'])
def test_the_runner_trains_and_resumes_on_a_gpu(precision: str | None, tmp_path: Path) -> None:
    options = dict(epochs=2, optim_wrapper__precision=precision)
    whole = run(classifier(tmp_path / 'whole', **options))
    assert next(whole.model.parameters()).device.type == DEVICE
    first = Path(whole.work_dir) / 'epoch_1.pth'
    again = run(classifier(tmp_path / 'again', resume=str(first), **options))
    for name, tensor in whole.model.state_dict().items():
        # not to the bit: without --deterministic a GPU may order its sums differently in every run
        torch.testing.assert_close(again.model.state_dict()[name], tensor, rtol=1e-2, atol=1e-2)
