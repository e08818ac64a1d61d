"""Batch normalisation with the statistics of all processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from binssl.checkpoints.match import in_parts
from binssl.core.processes import sum_over_processes
from binssl.registry import ConfigError


class ProcessBatchNorm(_BatchNorm):
    """BatchNorm whose training statistics are taken over the batches of all processes, on any device.

    torch's ``SyncBatchNorm`` refuses CPU tensors; this one is plain tensor arithmetic around a differentiable
    sum over processes, in two passes (mean, then squared deviations), so that it equals BatchNorm on the
    joined batch. Same parameters, buffers and eval mode as ``nn.BatchNorm1d/2d``.

    Shape: (N, C) or (N, C, ...) -> same.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f'expected (N, C, ...), got {tuple(input.shape)}')

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(input)
        axes = [axis for axis in range(input.dim()) if axis != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        values = input.float() if input.dtype in (torch.float16, torch.bfloat16) else input
        # half precision could neither count the pixels of a batch nor sum them
        count = sum_over_processes(values.new_tensor(input.numel() // input.shape[1], dtype=torch.float64))
        mean = sum_over_processes(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = sum_over_processes(centred.square().sum(axes)) / count
        self._track(mean.detach(), variance.detach() * (count / (count - 1).clamp(min=1)))
        output = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            output = output * self.weight.view(shape) + self.bias.view(shape)
        return output.to(input.dtype)

    def _track(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        # momentum None means the plain average over all batches, as in nn.BatchNorm
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(unbiased_variance.to(self.running_var), share)


def synchronise_batch_norm(model: nn.Module, where: bool | Sequence[str], on_gpu: bool) -> int:
    """Replace the BatchNorms of ``model`` by ones that share statistics over processes.

    Args:
        where: True for all of them, or name prefixes (``['head', 'target_head']``).
        on_gpu: torch's ``SyncBatchNorm`` on GPUs, :class:`ProcessBatchNorm` elsewhere.

    Returns:
        How many layers were replaced.
    """
    layers = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    prefixes = [] if where is True else where or []
    for prefix in prefixes:
        if layers and not any(in_parts(name, [prefix]) for name in layers):
            raise ConfigError(f'sync_bn: the model has no BatchNorm under {prefix!r}')
    chosen = {name: layer for name, layer in layers.items() if where is True or in_parts(name, prefixes)}
    for name, layer in chosen.items():
        parent, _, leaf = name.rpartition('.')
        setattr(model.get_submodule(parent), leaf, _synchronised(layer, on_gpu))
    return len(chosen)


def _synchronised(layer: _BatchNorm, on_gpu: bool) -> nn.Module:
    if on_gpu:
        return nn.SyncBatchNorm.convert_sync_batchnorm(layer)
    synced = ProcessBatchNorm(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    synced.to(next(iter(layer.state_dict().values()), torch.empty(0)).device)
    synced.weight, synced.bias = layer.weight, layer.bias  # the same parameters: nothing is copied
    synced._buffers.update(layer._buffers)
    synced.train(layer.training)
    return synced


def average_batch_norm(model: nn.Module) -> None:
    """Give every process the mean of the processes' running statistics, before they are saved or validated with.

    Taken in float64, it leaves statistics alone that are alike already, to the last bit.
    """
    if get_world_size() == 1:
        return
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.running_mean is not None and module.running_var is not None:
            for statistic in (module.running_mean, module.running_var):
                mean = statistic.double()
                all_reduce(mean, op='mean')
                statistic.copy_(mean)
