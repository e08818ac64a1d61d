"""The optimiser: mixed precision on any device, parameter groups, a look at the first gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from fnmatch import fnmatchcase
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper as _OptimWrapper
from torch import Tensor, nn

from binssl.checkpoints.match import in_parts
from binssl.core.console import say
from binssl.core.processes import unwrap
from binssl.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    ConfigError,
    check_call,
    check_values,
)

PRECISIONS = {'fp16': torch.float16, 'bf16': torch.bfloat16}
#: what ParameterGroups takes beside the wrapper's config
PARAMWISE: dict[str, Any] = dict(decay=str | list[str], lr_mult=dict[str, float], fixed_lr=list[str])
DEFAULT_WRAPPER = 'OptimWrapper'  # the type of an `optim_wrapper` that states none


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(_OptimWrapper):
    """mmengine's wrapper with mixed precision on GPUs and CPUs.

    Args:
        optimizer: built by the constructor below.
        accumulative_counts: batches whose gradients are averaged for one step; filled in from
            ``global_batch_size`` where the config gives that.
        clip_grad: arguments of ``torch.nn.utils.clip_grad_norm_``, None for no clipping.
        precision: None (as the model is), ``'fp16'`` (with loss scaling; real on a CPU too, but slow there) or
            ``'bf16'``.

    Loss scaling skips a step whose gradients are not finite, as the first ones usually are, until it has found its
    scale. What averages weights (a momentum teacher, WeightAverageHook) stands still then, by ``step_taken``; what
    counts iterations (schedules, queues, frozen prototypes) goes on, as a resume could not tell.

    Attributes:
        before_step: called before every step, when its gradients are complete and unscaled, in this order; a hook
            adds here what looks at gradients or takes some away (``None``: the optimiser leaves that parameter alone).
        last_gradient_norm: of the latest step, when gradients are clipped; a tensor, so that nothing waits
            for it.
        step_taken: 1, or 0 where the latest step was skipped; a tensor likewise, None without loss scaling.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        accumulative_counts: int = 1,
        clip_grad: dict | None = None,
        precision: str | None = None,
    ) -> None:
        if precision is not None and precision not in PRECISIONS:
            raise ConfigError(f'precision {precision!r} is none of {sorted(PRECISIONS)} or None')
        super().__init__(optimizer, accumulative_counts, dict(clip_grad) if clip_grad else None)
        if self.clip_grad_kwargs:
            check_call('optim_wrapper.clip_grad', self.clip_func, self.clip_grad_kwargs, ['parameters'])
            if precision == 'fp16' and self.clip_grad_kwargs.get('error_if_nonfinite'):
                rule = 'fp16 skips steps whose gradients are not finite, the first ones by nature'
                raise ConfigError(f'optim_wrapper.clip_grad.error_if_nonfinite: {rule}; leave it out')
        for key, value in (self.clip_grad_kwargs or {}).items():
            if key in ('max_norm', 'norm_type', 'clip_value') and value <= 0:
                rule = 'it must be above 0: 0 learns nothing, and less turns gradients round'
                raise ConfigError(f'optim_wrapper.clip_grad.{key} is {value!r}; {rule}')
        self.base_param_settings = None  # every group has a learning rate of its own to log
        self.before_step: list[Callable[[], None]] = []
        self.last_gradient_norm: Tensor | None = None
        self.step_taken: Tensor | None = None
        self._device = optimizer.param_groups[0]['params'][0].device.type
        if precision == 'fp16' and self._device == 'cpu':
            notice = 'fp16 on a CPU is trained as on a GPU, with loss scaling, but slower than bf16 or full precision'
            say(MMLogger.get_current_instance(), notice)
        self._autocast_dtype = PRECISIONS.get(precision or '')
        self._scaler = torch.amp.GradScaler(self._device, enabled=precision == 'fp16')

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        dtype = self._autocast_dtype
        precision = torch.autocast(self._device, dtype) if dtype else nullcontext()
        with super().optim_context(model), precision:
            yield

    def scale_loss(self, loss: Tensor) -> Tensor:
        return loss if self._accumulative_counts == 1 else super().scale_loss(loss)

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        self._scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        self._scaler.unscale_(self.optimizer)
        for act in list(self.before_step):  # one may take itself off the list
            act()
        if self.clip_grad_kwargs:
            self._clip_grad()
        late = self._late_groups()
        for group in late:
            group['fused'] = None
        self._scaler.step(self.optimizer, **kwargs)
        for group in late:
            group['fused'] = True
        if self._scaler.is_enabled():
            (not_finite,) = self._scaler._found_inf_per_device(self.optimizer).values()
            self.step_taken = 1 - not_finite
        self._scaler.update()

    @property
    def loss_scale(self) -> float | None:
        """What losses are multiplied by, None without loss scaling; to ask waits for the device."""
        return self._scaler.get_scale() if self._scaler.is_enabled() else None

    def _late_groups(self) -> list[dict[str, Any]]:
        """Groups in which some gradients are their parameter's first: fused SGD takes all with momentum, or none."""
        state = self.optimizer.state
        groups = self.optimizer.param_groups
        if not isinstance(self.optimizer, torch.optim.SGD) or len(state) in (0, sum(len(g['params']) for g in groups)):
            return []
        fused = [group for group in groups if group['fused'] and group['momentum']]
        return [group for group in fused if len({p in state for p in group['params'] if p.grad is not None}) == 2]

    def _clip_grad(self) -> None:
        parameters = [p for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]
        self.last_gradient_norm = self.clip_func(parameters, **self.clip_grad_kwargs)

    def state_dict(self) -> dict[str, Any]:
        return {**self.optimizer.state_dict(), 'loss_scaler': self._scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state = dict(state_dict)
        scaler = state.pop('loss_scaler', {})
        if scaler and self._scaler.is_enabled():
            self._scaler.load_state_dict(scaler)
        self.optimizer.load_state_dict(state)


@OPTIMIZERS.register_module(name='LARS')
def build_lars(
    params: Any,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    trust_coeff: float = 0.001,
    nesterov: bool = False,
    always_adapt: bool = False,
) -> torch.optim.Optimizer:
    """LARS (arXiv:1708.03888) from timm, for batches of thousands.

    A group without weight decay is not adapted either (plain SGD with momentum), unless ``always_adapt``: with
    ``paramwise_cfg=dict(decay='weights')`` these are biases, norms and shifts, as in BYOL; SwAV's release adapts all.

    Raises:
        ConfigError: timm is not installed; or nothing would be adapted.
    """
    if not weight_decay and not always_adapt:
        raise ConfigError('LARS without weight_decay is plain SGD: give a weight_decay, or always_adapt=True')
    try:
        from timm.optim.lars import Lars
    except ImportError as error:
        raise ConfigError('LARS is timm\'s, which is not installed: pip install "binssl[lars]"') from error
    rule: dict[str, Any] = dict(trust_coeff=trust_coeff, nesterov=nesterov, always_adapt=always_adapt)
    return Lars(params, lr, momentum, weight_decay=weight_decay, **rule)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module(name='DefaultOptimWrapperConstructor')
class ParameterGroups:
    """Builds the optimiser with one group per (learning rate, decayed or not, scheduled or not).

    Args:
        optim_wrapper_cfg: ``type``, ``optimizer`` and the wrapper's arguments.
        paramwise_cfg: ``decay='all'`` (the default, as published label-free recipes); ``'weights'``, which
            spares biases, norms and learnable shifts: every tensor with fewer than two axes longer than 1;
            ``'four_axes'``, all tensors of four axes, learnable shifts included (ReActNet's release); or a list of
            patterns of names (``['backbone.stem.conv.*', 'head.fc.*']``), a star for any part of one;
            ``lr_mult={'target_head': 0.1}``, a factor by name prefix (0 is refused: freeze the part instead);
            ``fixed_lr=['head.predictor']``, prefixes whose rate no schedule moves (SimSiam's predictor).

    A part of the model with ``own_rates()``, rates by the names of its own parts (LinearRates), has these in place of
    the optimiser's ``lr``.

    Raises:
        ConfigError: an unknown key, a prefix that no trainable parameter has, nothing to train.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        self.wrapper_cfg = dict(optim_wrapper_cfg)
        self.optimizer_cfg = dict(self.wrapper_cfg.pop('optimizer'))
        paramwise = dict(decay='all', lr_mult={}, fixed_lr=[]) | {
            k: v for k, v in (paramwise_cfg or {}).items() if v is not None
        }
        check_values('optim_wrapper.paramwise_cfg', paramwise, PARAMWISE)
        if not isinstance(self.optimizer_cfg.get('lr'), (int, float)):
            raise ConfigError(f'optim_wrapper.optimizer.lr is {self.optimizer_cfg.get("lr")!r}; it must be a number')
        self.decay, self.lr_mult, self.fixed_lr = (paramwise[key] for key in PARAMWISE)
        patterns = isinstance(self.decay, (list, tuple)) and self.decay and all(isinstance(p, str) for p in self.decay)
        if self.decay not in ('all', 'weights', 'four_axes') and not patterns:
            rule = "it must be 'all', 'weights', 'four_axes' or a list of names"
            raise ConfigError(f'paramwise_cfg.decay is {self.decay!r}; {rule}')

    def __call__(self, model: nn.Module) -> _OptimWrapper:
        model = unwrap(model)
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        if not trained:
            raise ConfigError('the model has no trainable parameter')
        self._check_names([name for name, _ in trained])
        own = self._own_rates(model, [name for name, _ in trained])
        groups: dict[tuple[float, bool, bool], dict[str, Any]] = {}
        for name, parameter in trained:
            decayed = self._is_decayed(name, parameter)
            base = next((rate for part, rate in own.items() if in_parts(name, [part])), self.optimizer_cfg['lr'])
            rate = base * self._factor(name)
            fixed = in_parts(name, self.fixed_lr)
            group = groups.setdefault((rate, decayed, fixed), dict(params=[], lr=rate, fixed_lr=fixed))
            group['params'].append(parameter)
            if not decayed:
                group['weight_decay'] = 0.0
        for group in groups.values():
            group['initial_lr'] = group['lr']  # what schedules start from; kept in checkpoints
        optimizer = OPTIMIZERS.build(self._fused(trained), default_args=dict(params=list(groups.values())))
        wrapper = {'type': DEFAULT_WRAPPER, **self.wrapper_cfg}
        return OPTIM_WRAPPERS.build(wrapper, default_args=dict(optimizer=optimizer))

    def _own_rates(self, model: nn.Module, trained: Sequence[str]) -> dict[str, float]:
        """The rates that parts of the model bring along, by the parts' whole names; no gradient may join them."""
        rates = {
            f'{name}.{part}'.lstrip('.'): rate
            for name, module in model.named_modules()
            for part, rate in getattr(module, 'own_rates', dict)().items()
        }
        if rates and self.wrapper_cfg.get('clip_grad'):
            raise ConfigError(
                'optim_wrapper.clip_grad has one norm for all gradients, and classifiers of several learning rates '
                'have to learn as each would alone: leave it out'
            )
        shared = [name for name in trained if not in_parts(name, rates)]
        if rates and shared:
            raise ConfigError(
                f'classifiers of several learning rates share what learns ({shared[0]}, ...): set '
                "model.frozen=['backbone', 'neck'], or make a run for each rate"
            )
        return rates

    def _check_names(self, names: Sequence[str]) -> None:
        for key, prefixes in (('lr_mult', self.lr_mult), ('fixed_lr', self.fixed_lr)):
            for prefix in prefixes:
                if not any(in_parts(name, [prefix]) for name in names):
                    raise ConfigError(f'paramwise_cfg.{key}: no trainable parameter is under {prefix!r}')
        for pattern in self.decay if not isinstance(self.decay, str) else ():
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ConfigError(f'paramwise_cfg.decay: no trainable parameter is called {pattern!r}')
        for prefix, factor in self.lr_mult.items():
            if factor <= 0:
                raise ConfigError(f'paramwise_cfg.lr_mult of {prefix!r} is {factor}; freeze the part instead')

    def _factor(self, name: str) -> float:
        fitting = [prefix for prefix in self.lr_mult if in_parts(name, [prefix])]
        return self.lr_mult[max(fitting, key=len)] if fitting else 1.0

    def _is_decayed(self, name: str, parameter: Tensor) -> bool:
        if self.decay == 'all':
            return True
        if self.decay == 'weights':
            return sum(size > 1 for size in parameter.shape) > 1
        if self.decay == 'four_axes':
            return parameter.dim() == 4
        return any(fnmatchcase(name, pattern) for pattern in self.decay)

    def _fused(self, trained: list[tuple[str, nn.Parameter]]) -> dict:
        """One kernel for all tensors where torch has it: ten times faster on a CPU, the same numbers.

        Not SGD's under loss scaling: in a skipped step it leaves its momentum unwritten, and reads that in the next.
        """
        if self.wrapper_cfg.get('precision') == 'fp16' and self.optimizer_cfg.get('type') == 'SGD':
            if self.optimizer_cfg.get('fused'):
                raise ConfigError(
                    "optim_wrapper.optimizer.fused: torch's fused SGD goes wrong under fp16; leave it out"
                )
            return self.optimizer_cfg
        known = self.optimizer_cfg.get('type') in ('SGD', 'Adam', 'AdamW') and 'foreach' not in self.optimizer_cfg
        plain = all(p.is_floating_point() and p.device.type in ('cpu', 'cuda') for _, p in trained)
        return {'fused': True, **self.optimizer_cfg} if known and plain else self.optimizer_cfg
