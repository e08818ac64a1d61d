"""mmengine's Runner, with what makes a run trustworthy: strict loading, atomic checkpoints, exact resume."""

from __future__ import annotations

import copy
import inspect
import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner as _Runner
from torch import nn
from torch.utils.data import DataLoader

from binssl.checkpoints import CheckpointError, read_checkpoint, read_record, write_checkpoint
from binssl.core.console import quieten, say
from binssl.core.processes import by_the_first, processes_here, unwrap
from binssl.core.signals import leave_to_parent
from binssl.datasets import build_dataset
from binssl.engine.batch_norm import average_batch_norm, synchronise_batch_norm
from binssl.engine.config import DEFAULT_HOOKS
from binssl.engine.experiment import known_part
from binssl.engine.launch import uses_gpu
from binssl.engine.loops import accumulation, batch_per_process
from binssl.engine.optimiser import DEFAULT_WRAPPER
from binssl.engine.preflight_data import loader_problems
from binssl.engine.training_state import checkpoint_to_resume, latest_checkpoint, resume_training, training_checkpoint
from binssl.engine.weights import start_from, start_from_trunk
from binssl.hooks import CheckpointHook
from binssl.registry import ALGORITHMS, HOOKS, RUNNERS, ConfigError

#: buffers are averaged when they are saved, not sent around in every forward; torch has renamed the flag
_LEAVE_BUFFERS = (
    {'forward_sync_buffers': False}
    if 'forward_sync_buffers' in inspect.signature(nn.parallel.DistributedDataParallel).parameters
    else {'broadcast_buffers': False}
)


@RUNNERS.register_module()
class Runner(_Runner):
    """Runs a config on one CPU, one GPU or many processes of either.

    Made by :meth:`from_cfg`; beyond mmengine's keys it reads ``schedules``, ``global_batch_size``,
    ``sync_bn``, ``pretrained`` (a trunk for evaluation) and ``compile``. See
    ``binssl.engine.config.KNOWN_KEYS``.
    """

    _has_loaded: bool

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        cfg = copy.deepcopy(cfg)
        cfg.setdefault('default_scope', 'binssl')
        cfg.randomness = dict(dict(seed=0), **(cfg.get('randomness') or {}))
        seed_is_drawn = cfg.randomness.seed is None
        if seed_is_drawn:
            cfg.randomness.seed = by_the_first(partial(_first_seed, cfg))
        cfg.env_cfg = cfg.get('env_cfg') or {}
        if cfg.get('optim_wrapper'):
            cfg.optim_wrapper.setdefault('type', DEFAULT_WRAPPER)
            cfg.optim_wrapper.accumulative_counts = accumulation(cfg, get_world_size())
            cfg.train_dataloader.batch_size = batch_per_process(cfg, get_world_size())
            known_part(cfg)  # what a checkpoint records: better refused now than at the first one
        if not uses_gpu(cfg.get('device', 'auto')):
            for split in ('train', 'val', 'test'):  # pinned memory is for the way to a GPU: torch warns without one
                (cfg.get(f'{split}_dataloader') or {}).pop('pin_memory', None)
        # mmengine asks only whether the run is distributed: our process group stands by now
        cfg.launcher = 'pytorch' if torch.distributed.is_initialized() else 'none'
        runner = super().from_cfg(cfg)
        assert isinstance(runner, cls)
        if seed_is_drawn:
            runner.say('no seed is given: this run has seed %d', runner.seed)
        return runner

    @property
    def accumulative_counts(self) -> int:
        """Batches whose gradients make one optimiser step."""
        return self.cfg.optim_wrapper.accumulative_counts if self.cfg.get('optim_wrapper') else 1

    def say(self, message: str, *values: Any) -> None:
        """Log a line that a person should see; the first process speaks for all."""
        if is_main_process():
            say(self.logger, message, *values)

    def train(self) -> nn.Module:
        """Train; signals that ask to stop end it with a checkpoint, if it writes any."""
        with ExitStack() as stack:
            for hook in self.hooks:
                if isinstance(hook, CheckpointHook):
                    stack.enter_context(hook.listener)
            stack.callback(self._end_workers)
            return super().train()

    def _end_workers(self) -> None:
        """End the workers that stay from epoch to epoch; left to the garbage, their queues may go before them."""
        for loop in (self._train_loop, self._val_loop):
            iterator = getattr(getattr(loop, 'dataloader', None), '_iterator', None)
            if iterator is not None:
                iterator._shutdown_workers()

    # what mmengine builds, built our way

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(log_level, log_file, **kwargs)
        quieten(logger)
        return logger

    def set_randomness(self, seed: int | None = 0, diff_rank_seed: bool = False, deterministic: bool = False) -> None:
        """Seed every generator alike on all processes; what differs between them is drawn by counters."""
        self._seed, self._deterministic = 0 if seed is None else seed, deterministic
        random.seed(self._seed)
        np.random.seed(self._seed % 2**32)
        torch.manual_seed(self._seed)
        if deterministic:
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
            torch.backends.cudnn.benchmark = False
            torch.use_deterministic_algorithms(True)

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        return model if isinstance(model, nn.Module) else ALGORITHMS.build(model)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Move to the device, share BatchNorm statistics where asked, and join the processes."""
        on_gpu = uses_gpu(self.cfg.get('device', 'auto'))
        model = model.to('cuda' if on_gpu else 'cpu')
        if not self.distributed:
            return self._compiled(model)
        if self.cfg.get('sync_bn'):
            count = synchronise_batch_norm(model, self.cfg.sync_bn, on_gpu)
            self.logger.info(f'{count} BatchNorms share their statistics over {get_world_size()} processes')
        if not any(parameter.requires_grad for parameter in model.parameters()) or not self.cfg.get('optim_wrapper'):
            return self._compiled(model)  # an evaluation: nothing to reduce
        options = dict(_LEAVE_BUFFERS, **(model_wrapper_cfg or {}))
        devices = [torch.cuda.current_device()] if on_gpu else None
        return MMDistributedDataParallel(self._compiled(model), device_ids=devices, **options)

    def _compiled(self, model: nn.Module) -> nn.Module:
        options = self.cfg.get('compile')
        if options:
            cast(nn.Module, model.backbone).compile(**({} if options is True else dict(options)))
        return model

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """mmengine's, with the run's seed in the data set, and options of workers only with workers."""
        if isinstance(dataloader, DataLoader):
            return dataloader
        options = copy.deepcopy(dataloader)
        dataset = build_dataset(options['dataset'], seed or 0)
        options['dataset'] = dict(type=lambda: dataset)  # mmengine copies what it is given
        if not options.get('num_workers'):
            for key in ('persistent_workers', 'prefetch_factor'):
                options.pop(key, None)
        options.setdefault('collate_fn', dict(type='whole_batch'))
        loader = _Runner.build_dataloader(options, seed, diff_rank_seed)
        loader.worker_init_fn = partial(_begin_worker, loader.worker_init_fn)
        if problems := loader_problems(f'the dataloader of {dataset.kind}', options, dataset, processes_here()):
            raise ConfigError('; '.join(problems))
        return loader

    def register_default_hooks(self, hooks: dict[str, Any] | None = None) -> None:
        """Ours, each of which the config may change by name, or remove with None."""
        chosen: dict[str, Any] = {**DEFAULT_HOOKS, **(hooks or {})}
        model = unwrap(self.model)
        if any(hasattr(part, 'restart') for part in model.children()):  # a momentum teacher
            chosen.setdefault('momentum', dict(type='MomentumUpdateHook'))
        if getattr(model, 'frozen', ()):
            chosen.setdefault('frozen', dict(type='FrozenHook'))
        if self.cfg.get('schedules'):
            chosen.setdefault('anneal', dict(type='AnnealHook', schedules=self.cfg.schedules.to_dict()))
        if self.cfg.get('param_scheduler'):
            chosen.setdefault('param_scheduler', dict(type='ParamSchedulerHook'))
        for hook in chosen.values():
            if hook is not None:
                self.register_hook(copy.deepcopy(hook))

    def register_hook(self, hook: Any, priority: Any = None) -> None:
        if isinstance(hook, dict):
            HOOKS.check({key: value for key, value in hook.items() if key != 'priority'})
        super().register_hook(hook, priority)

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict | None = None) -> None:
        """The linear rule: rates times (images a step) / ``base_batch_size``, when ``enable`` is true."""
        settings = auto_scale_lr or {}
        if not settings.get('enable'):
            return
        base = settings.get('base_batch_size')
        if base is None:
            raise ConfigError('--auto-scale-lr needs auto_scale_lr.base_batch_size: images a step that lr is meant for')
        images = self.train_dataloader.batch_size * get_world_size() * self.accumulative_counts
        factor = images / base
        for group in optim_wrapper.param_groups:
            group['lr'] *= factor
            group['initial_lr'] *= factor
        self.say('learning rates times %.4g: %d images a step, %d in the config', factor, images, base)

    def _maybe_compile(self, target: str) -> None:
        """The backbone is compiled already; mmengine would compile the whole step with the optimiser too."""

    def _init_model_weights(self) -> None:
        """Constructors have initialised the model; mmengine would list every parameter here."""

    # weights in and out

    def load_or_resume(self) -> None:
        """Go on where ``resume`` says, else start from ``load_from`` or ``pretrained``, all strictly."""
        if self._has_loaded:
            return
        self._has_loaded = True
        path = by_the_first(partial(checkpoint_to_resume, self.cfg))
        if path:
            if not path.is_file():
                raise CheckpointError(f'there is no checkpoint {path} (all nodes must share the work folder)')
            self.train_loop._epoch, self.train_loop._iter = epoch, iteration = resume_training(self, path)
            self.say('resumed from %s: %d epochs, %d iterations done', path, epoch, iteration)
            if epoch >= self.max_epochs:
                remedy = 'load_from=... with another --work-dir starts a new one from its weights'
                self.say('this run is finished, all its %d epochs are trained: %s', epoch, remedy)
            return
        if self._resume:
            self.say('no checkpoint in %s to go on from: starting at the beginning', self.work_dir)
        for start, file in ((start_from, self._load_from), (start_from_trunk, self.cfg.get('pretrained'))):
            if file:
                self.say('%s: %s', file, start(unwrap(self.model), file))
                return

    def last_checkpoint(self) -> Path | None:
        """The newest checkpoint of this run's folder."""
        return latest_checkpoint(self.work_dir)

    def save_checkpoint(self, out_dir: str, filename: str, epoch: int = 0, iteration: int = 0, **unused: Any) -> None:
        """Write a training checkpoint, atomically, by the first process.

        BatchNorm statistics that processes keep apart are averaged first, on all of them, so that a resumed
        run, which gives every process the same file, is the run that was not interrupted.
        """
        model = unwrap(self.model)
        average_batch_norm(model)
        whole = is_main_process()  # the others only ask their hooks, which may want to change the weights
        content = training_checkpoint(self, epoch, iteration) if whole else dict(state_dict=model.state_dict(), meta={})
        self.call_hook('before_save_checkpoint', checkpoint=content)
        if whole:
            write_checkpoint(content, Path(out_dir) / filename)
        barrier()

    def dump_config(self) -> None:
        """Write the whole config beside the checkpoints."""
        if is_main_process():
            name = Path(self.cfg.filename).name if self.cfg.filename else 'config.py'
            self.cfg.dump(str(Path(self.work_dir) / name))


def _begin_worker(begin: Callable[[int], None] | None, worker: int) -> None:
    leave_to_parent()
    if begin:
        begin(worker)


def _first_seed(cfg: Config) -> int:
    """The seed of a run that is given none: its checkpoint's if it goes on, as it stays the same run, or a new one."""
    path = checkpoint_to_resume(cfg)
    recorded = read_record(read_checkpoint(path), path).get('seed') if path and path.is_file() else None
    return int.from_bytes(os.urandom(4), 'little') if recorded is None else recorded
