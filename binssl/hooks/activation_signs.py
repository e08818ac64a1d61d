"""Watch on activations: values that a sign's gradient does not reach, bits that are all alike."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from mmengine.dist import is_main_process
from torch import Tensor

from binssl.hooks.watch import WatchHook, check_share, range_of, trained_binary_convs
from binssl.registry import HOOKS, ConfigError


@HOOKS.register_module()
class ActivationSignHook(WatchHook):
    """Looks at the inputs of every binary convolution in one iteration of ``interval``.

    - ``saturated_activations``: share of the inputs outside the window of the pseudo-gradient, [-1, 1] in most; mean
      over the layers that have one.
    - ``positive_bits``: share of +1 among the bits, mean over the layers; ``positive_bits_worst``: of the layer that is
      farthest from 0.5.

    x is the input as the binarizer prepares it: in ReCU's layers divided by the deviation of its sample. The layers are
    hooked in that iteration only, so that all others cost nothing. A compiled backbone would not see the hooks: there
    this one says so and stays off. Layers that are frozen or have real inputs (Bi-Real Net's steps before the sign) are
    not watched.

    Args:
        interval: iterations between two looks.
        images: so many of each batch are looked at.
        most_saturated: warn where the mean share is larger.
        least_minority: warn of a layer whose rarer bit has a smaller share.

    Raises:
        ConfigError: a threshold that is no share, images < 1.
    """

    def __init__(
        self, interval: int = 50, images: int = 32, most_saturated: float = 0.9, least_minority: float = 1e-3
    ) -> None:
        super().__init__(interval)
        if images < 1:
            raise ConfigError(f'images is {images!r}; it must be a whole number of at least 1')
        self.images = images
        self.most_saturated = check_share('most_saturated', most_saturated)
        self.least_minority = check_share('least_minority', least_minority)
        self._layers: list[tuple[str, Any]] = []
        self._hooked: list[Any] = []

    def before_train(self, runner: Any) -> None:
        layers = trained_binary_convs(runner.model)
        convs = [(name, conv) for name, conv in layers if conv.input_bits == 1]
        if convs and runner.cfg.get('compile'):
            runner.logger.info('ActivationSignHook: the backbone is compiled, its activations are not watched')
            convs = []
        self._layers = convs if is_main_process() else []

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if not self._layers or not self.looks(runner):
            return
        self._seen: dict[int, list[Tensor]] = {}
        for index, (_, conv) in enumerate(self._layers):
            watch = partial(self._count, index)
            self._hooked.append(conv.register_forward_pre_hook(watch))

    @torch.no_grad()
    def _count(self, index: int, conv: Any, inputs: tuple[Tensor, ...]) -> None:
        x = conv.activation.prepare(inputs[0][: self.images])
        outside = torch.count_nonzero(x.abs() > conv.activation.gradient.window)
        shares = torch.stack([outside, torch.count_nonzero(x >= 0)]) / x.numel()
        self._seen.setdefault(index, []).append(shares)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        for handle in self._hooked:
            handle.remove()
        if not self._hooked or not self._seen:
            self._hooked = []
            return
        self._hooked = []
        layers = [self._layers[index] for index in self._seen]
        means = [torch.stack(calls).mean(dim=0) for calls in self._seen.values()]  # over the views
        outside, positive = torch.stack(means).T.tolist()  # waits for the device, once
        self._report(runner, layers, outside, positive)

    def _report(self, runner: Any, layers: list[tuple[str, Any]], outside: list[float], positive: list[float]) -> None:
        windows = [conv.activation.gradient.window for _, conv in layers]
        windowed = [share for window, share in zip(windows, outside, strict=True) if math.isfinite(window)]
        worst = max(range(len(positive)), key=lambda index: abs(positive[index] - 0.5))
        self.report(positive_bits=sum(positive) / len(positive), positive_bits_worst=positive[worst])
        if windowed:
            self.report(saturated_activations=sum(windowed) / len(windowed))
        saturated = self.values.get('saturated_activations', 0.0)
        self.judge(
            runner,
            'saturated',
            saturated > self.most_saturated,
            f'{saturated:.0%} of the inputs of binary convolutions lie outside {range_of(windows)} (above '
            f'{self.most_saturated:.0%}), where the pseudo-gradient of their sign is 0: the activations run away and '
            'the layers before them hardly learn. Try a lower learning rate, weight decay (paramwise_cfg.decay="all" '
            'takes norms and shifts in), or a BatchNorm before the sign',
        )
        minority = min(positive[worst], 1 - positive[worst])
        self.judge(
            runner,
            'one bit',
            minority < self.least_minority,
            f'the input bits of {layers[worst][0]} are nearly all {"+1" if positive[worst] > 0.5 else "-1"} '
            f'({positive[worst]:.2%} are +1): the layer says nothing of the image. Try a lower learning rate, or a '
            'learnable shift or BatchNorm before the sign, and no ReLU there',
        )
