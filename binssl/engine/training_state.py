"""The state of a training: the content of its checkpoints, and the checks of a run that resumes from one."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size

from binssl.checkpoints import (
    FORMAT_VERSION,
    CheckpointError,
    check_alike,
    find_state_dict,
    load_weights,
    read_checkpoint,
    read_json,
    read_record,
)
from binssl.core.processes import unwrap
from binssl.engine.experiment import config_hash, differing_keys, experiment, known_part, plain


def training_checkpoint(runner: Any, epoch: int, iteration: int) -> dict[str, Any]:
    """The content of a training checkpoint after ``iteration`` iterations: tensors and plain data only."""
    model = unwrap(runner.model)
    meta = dict(
        kind='training',
        epoch=epoch,
        iter=iteration,
        seed=runner.seed,
        epoch_length=runner.train_loop.epoch_length,
        max_epochs=runner.max_epochs,
        world_size=get_world_size(),
        threads=torch.get_num_threads(),
        torch_version=str(torch.__version__),
        time=time.strftime('%Y-%m-%d %H:%M:%S'),
        model=json.dumps(plain(runner.cfg.model)),
        config=json.dumps(known_part(runner.cfg)),
        config_hash=config_hash(experiment(runner.cfg)),
        teacher_sha256=getattr(getattr(model, 'teacher', None), 'sha256', None),
    )
    return dict(
        format_version=FORMAT_VERSION,
        meta=meta,
        state_dict=_on_cpu(model.state_dict()),
        optimizer=_on_cpu(runner.optim_wrapper.state_dict()),
        param_schedulers=[s.state_dict() for s in runner.param_schedulers or []],
    )


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_on_cpu(item) for item in value]
    return value


def latest_checkpoint(work_dir: str | Path) -> Path | None:
    """The file that ``last_checkpoint`` in ``work_dir`` points to; without the pointer, the one of most iterations.

    None where no checkpoint was written.

    Raises:
        CheckpointError: the pointer names a file that is not there; there are files, and no training to go on with.
    """
    folder, pointer = Path(work_dir), Path(work_dir) / 'last_checkpoint'
    name = pointer.read_text(errors='replace').strip() if pointer.is_file() else ''
    if name:
        if not (folder / name).is_file():
            raise CheckpointError(f'{pointer} points to {name}, which is not in that folder; use --resume PATH')
        return folder / name
    written = [[file for file in folder.glob(f'{kind}_*.pth') if _number(file)] for kind in ('epoch', 'iter')]
    if newest := [max(files, key=_number) for files in written if files]:
        return max(newest, key=lambda file: read_record(read_checkpoint(file), file).get('iter') or 0)
    if (folder / 'latest.pth').is_file():
        return folder / 'latest.pth'
    if kept := sorted(file.name for file in folder.glob('best_*.pth')):
        remedy = 'name what to go on from with --resume PATH, or another --work-dir'
        raise CheckpointError(f'{folder} holds {", ".join(kept)} of a run, and none of its other checkpoints: {remedy}')
    return None


def _number(file: Path) -> int:
    """7 of ``epoch_7.pth``; 0 of another name."""
    number = file.stem.rpartition('_')[2]
    return int(number) if number.isdecimal() else 0


def checkpoint_to_resume(cfg: Config) -> Path | None:
    """The file that ``cfg.resume`` names, or the newest of the run's folder; None where the run starts anew."""
    if cfg.get('resume') in ('auto', True):
        return latest_checkpoint(cfg.work_dir)
    return Path(cfg.resume) if cfg.get('resume') else None


def resume_training(runner: Any, path: Path) -> tuple[int, int]:
    """Load everything that ``path`` holds into ``runner``.

    Returns:
        (epoch, iteration) to go on from.

    Raises:
        CheckpointError: it holds no training, or another experiment, teacher or seed; the weights do not fit; an
            average that no hook takes out; within an epoch, another number of processes.
    """
    content = read_checkpoint(path)
    meta = content.get('meta')
    if not isinstance(meta, dict) or meta.get('kind') != 'training' or 'optimizer' not in content:
        remedy = 'start from it with --cfg-options load_from=..., or resume from a checkpoint of the run'
        raise CheckpointError(f'{path} holds weights, not the state of a training run: {remedy}')
    _check_counters(read_record(content, path), path)
    _check_same_experiment(runner, path, meta)
    for key in ('state_dict', 'raw_state_dict'):  # the latter where a hook has put an average in the first place
        if key == 'state_dict' or key in content:
            find_state_dict({'state_dict': content.get(key)}, path)
    runner.call_hook('after_load_checkpoint', checkpoint=content)  # may put the raw weights back into that place
    if 'raw_state_dict' in content:
        raise CheckpointError(
            f'{path} was written with WeightAverageHook (decay {meta.get("weight_average_decay")}), which the config '
            'lacks: resume with the hook, or start a new run from the average (load_from)'
        )
    load_weights(unwrap(runner.model), find_state_dict({'state_dict': content['state_dict']}, path))
    _check_optimiser(runner.optim_wrapper, content['optimizer'], path)
    runner.optim_wrapper.load_state_dict(content['optimizer'])
    schedulers, states = runner.param_schedulers or [], content.get('param_schedulers')
    check_alike(states, [scheduler.state_dict() for scheduler in schedulers], 'param_schedulers', path)
    for scheduler, state in zip(schedulers, content['param_schedulers'], strict=True):
        scheduler.load_state_dict(state)
    return meta['epoch'], _iteration(runner, path, meta)


def _check_counters(meta: dict[str, Any], path: Path) -> None:
    needed = ('epoch', 'iter', 'epoch_length', 'world_size', 'threads', 'seed')
    if lacking := [key for key in needed if meta.get(key) is None]:
        raise CheckpointError(f'{path} is damaged: it does not say its {", ".join(lacking)}')
    epoch, iteration, length = meta['epoch'], meta['iter'], meta['epoch_length']
    whole = meta.get('max_epochs') or epoch
    if not epoch * length <= iteration <= (epoch + 1) * length or epoch > whole:
        said = f'it is said to be after {iteration} iterations and {epoch} epochs of {length}, of {whole} epochs'
        raise CheckpointError(f'{path} is damaged: {said}')


def _check_optimiser(wrapper: Any, given: Any, path: Path) -> None:
    """Compare an optimiser's state in a file with what this one keeps after a step, whatever it is.

    torch's kernels take the state as it is: a tensor that is too small is read and written past its end.
    """
    own = wrapper.state_dict()
    if not isinstance(given, dict) or not isinstance(given.get('state'), dict):
        raise CheckpointError(f'{path} is damaged: its optimizer has no state')
    scaler = given.get('loss_scaler', {})
    if scaler and own.get('loss_scaler'):
        check_alike(scaler, own['loss_scaler'], 'loss_scaler', path)
    check_alike(given.get('param_groups'), own['param_groups'], 'optimizer.param_groups', path)
    if [group['params'] for group in given['param_groups']] != [group['params'] for group in own['param_groups']]:
        raise CheckpointError(f'{path} is damaged: the parameters of its optimizer are in other groups')
    trial = copy.deepcopy(wrapper.optimizer)
    for parameter in (parameter for group in trial.param_groups for parameter in group['params']):
        parameter.grad = torch.zeros_like(parameter)
    trial.step()
    kept = trial.state_dict()['state']
    # a parameter that had no gradient yet has no state
    for index, state in given['state'].items():
        check_alike(state, kept.get(index), f'optimizer.state.{index}', path)


def _check_same_experiment(runner: Any, path: Path, meta: dict[str, Any]) -> None:
    theirs = experiment(read_json(meta.get('config'), 'its config', path))
    rows = differing_keys(experiment(runner.cfg), theirs)
    if rows:
        shown = '\n  '.join(rows[:15])
        remedy = 'resume with the same config and options, or start a new run from its weights (another --work-dir)'
        if len(rows) == 1 and rows[0].startswith('train_cfg.max_epochs:'):
            remedy = (
                'a run cannot be made longer or shorter: what is scheduled is a curve over all its epochs, which would '
                'have been another from the first iteration on. Resume with the same number, or start a new run from '
                f'its weights: --cfg-options load_from={path} with another --work-dir'
            )
        raise CheckpointError(f'{path} was written by another experiment:\n  {shown}\n{remedy}')
    model = unwrap(runner.model)
    teacher = getattr(getattr(model, 'teacher', None), 'sha256', None)
    if teacher != meta.get('teacher_sha256'):
        raise CheckpointError(
            f'{path} was trained with another teacher file (SHA-256 {meta.get("teacher_sha256")}) than '
            f'the config names now ({teacher}): put the same file back, or start a new run'
        )
    if meta['seed'] != runner.seed:
        raise CheckpointError(f'{path} has seed {meta["seed"]}, this run {runner.seed}: give the same --seed')
    threads = torch.get_num_threads()
    if meta['threads'] != threads:
        runner.logger.warning(
            f'the checkpoint was written with {meta["threads"]} CPU threads, this run has {threads}: it will not be '
            'bit-identical, as sums are ordered otherwise (set OMP_NUM_THREADS)'
        )


def _iteration(runner: Any, path: Path, meta: dict[str, Any]) -> int:
    """The iteration to go on from, recounted when other processes share an epoch now."""
    length = runner.train_loop.epoch_length
    if meta['epoch_length'] == length:
        return meta['iter']
    if meta['iter'] != meta['epoch'] * meta['epoch_length']:
        raise CheckpointError(
            f'{path} stands in the middle of an epoch of {meta["epoch_length"]} iterations; with '
            f'{get_world_size()} process(es) an epoch has {length}. Resume with {meta["world_size"]} '
            'process(es), or from a checkpoint at the end of an epoch'
        )
    return meta['epoch'] * length
