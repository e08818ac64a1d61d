"""Devices and processes: which are there, which were asked for, and how the processes find each other."""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from binssl.core.processes import processes_here
from binssl.registry import ConfigError, TrainingError

#: in what gloo raises where another process has left the group
_OTHER_IS_GONE = ('Connection closed by peer', 'Connection reset by peer')
_SECONDS_TO_SPEAK = 20.0  # twice what a process waits for the first to tell the error of all

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
#: what the other launchers call a process's place, by torch's names
_THEIR_NAMES = {
    'slurm': dict(
        RANK='SLURM_PROCID',
        WORLD_SIZE='SLURM_NTASKS',
        LOCAL_RANK='SLURM_LOCALID',
        LOCAL_WORLD_SIZE='SLURM_NTASKS_PER_NODE',
    ),
    'mpi': dict(
        RANK='OMPI_COMM_WORLD_RANK',
        WORLD_SIZE='OMPI_COMM_WORLD_SIZE',
        LOCAL_RANK='OMPI_COMM_WORLD_LOCAL_RANK',
        LOCAL_WORLD_SIZE='OMPI_COMM_WORLD_LOCAL_SIZE',
    ),
}


def add_launch_flags(parser: argparse.ArgumentParser, what: str = '') -> None:
    """The flags of a command that may run in several processes; ``what`` is checked by it."""
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument('--device', choices=('auto', 'cuda', 'cpu'), default='auto')
    check_help = f'only check{what}, for N processes on this machine'
    parser.add_argument('--check', type=int, metavar='N', help=check_help)
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def check_devices(processes: int, device: str = 'auto') -> str | None:
    """What is wrong with running ``processes`` processes on this machine, as a sentence, or None.

    Without ``device='cpu'`` there must be a GPU for each process, or, on a machine without GPUs, a core.
    """
    gpus, cores = torch.cuda.device_count(), len(os.sched_getaffinity(0))
    if device == 'cpu':
        return None
    if gpus and processes > gpus:
        remedy = f'ask for at most {gpus}, or use --device cpu'
        return f'{processes} processes were asked for and this machine has {gpus} GPU(s): {remedy}'
    if not gpus and device == 'cuda':
        return '--device cuda, and torch sees no GPU: install a CUDA build of torch or use --device cpu'
    if not gpus and processes > cores:
        remedy = f'ask for at most {cores} processes, or force it with --device cpu'
        return f'{processes} GPUs were asked for; this machine has none, and {cores} CPU core(s): {remedy}'
    return None


def uses_gpu(device: str = 'auto') -> bool:
    """Whether a run with ``device`` ('auto', 'cuda' or 'cpu') computes on a GPU here."""
    return device != 'cpu' and torch.cuda.is_available()


@contextmanager
def processes(launcher: str = 'none', device: str = 'auto', timeout_minutes: float = 30) -> Iterator[torch.device]:
    """The process group of a run, and this process's device; nccl on GPUs, gloo on CPUs.

    Args:
        launcher: ``none`` (this process alone), ``pytorch`` (torchrun), ``slurm`` or ``mpi``.
        device: ``auto`` (a GPU where there is one), ``cuda`` or ``cpu``.

    Raises:
        ConfigError: a launcher whose environment is not there, or more processes than devices.
        TrainingError: another process has ended, in place of what the exchange with it raised.
    """
    if launcher != 'none':
        _map_environment(launcher)
    if problem := check_devices(1 if launcher == 'none' else processes_here(), device):
        raise ConfigError(problem)
    on_gpu = uses_gpu(device)
    if launcher != 'none':
        for library in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
            os.environ.setdefault(library, '1')  # mmengine would, with a warning from each process
        if on_gpu:
            torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
        dist.init_process_group('nccl' if on_gpu else 'gloo', timeout=timedelta(minutes=timeout_minutes))
    try:
        yield torch.device('cuda', int(os.environ.get('LOCAL_RANK', 0))) if on_gpu else torch.device('cpu')
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # they hold the model, which has to go before the group
        if isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OTHER_IS_GONE):
            time.sleep(_SECONDS_TO_SPEAK)  # it says why, and the launcher ends this one
            raise TrainingError('another process of this run has ended; its own message says why') from error
        raise
    finally:
        if dist.is_initialized():
            gc.collect()  # a DDP reducer that outlives its group ends the process by `terminate called`
            dist.destroy_process_group()


def _map_environment(launcher: str) -> None:
    """Give torch's names to what SLURM or MPI says of this process."""
    if launcher == 'slurm':
        first_node = os.environ.get('MASTER_ADDR') or _first_slurm_node(os.environ.get('SLURM_NODELIST', ''))
        os.environ.setdefault('MASTER_ADDR', first_node)
        # steps of one job differ in nothing else that every process knows: spread jobs over ports
        os.environ.setdefault('MASTER_PORT', str(20000 + int(os.environ.get('SLURM_JOB_ID', 0)) % 20000))
    elif launcher == 'mpi':
        if 'MPI_LOCALNRANKS' in os.environ:  # Intel's and MPICH's
            os.environ.setdefault('LOCAL_WORLD_SIZE', os.environ['MPI_LOCALNRANKS'])
        os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
        os.environ.setdefault('MASTER_PORT', '29500')
    for ours, theirs in _THEIR_NAMES.get(launcher, {}).items():
        if os.environ.get(theirs):
            os.environ[ours] = os.environ[theirs]
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK') if name not in os.environ]
    if missing:
        remedy = 'start through tools/dist_train.sh (pytorch), tools/slurm_train.sh (slurm) or mpirun (mpi)'
        raise ConfigError(f'--launcher {launcher}: {", ".join(missing)} not set in the environment; {remedy}')


def _first_slurm_node(node_list: str) -> str:
    """The first host of SLURM's compressed list, as ``scontrol`` expands it."""
    if '[' not in node_list:
        return node_list.split(',')[0] or '127.0.0.1'
    hosts = subprocess.run(['scontrol', 'show', 'hostname', node_list], capture_output=True, text=True, check=True)
    return hosts.stdout.split()[0]
