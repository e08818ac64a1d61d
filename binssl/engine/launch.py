"""Devices and processes: which are there, which were asked for, and how the processes find each other."""

from __future__ import annotations

import argparse
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from binssl.core.node import check_address, read_number
from binssl.core.processes import processes_here
from binssl.registry import ConfigError, TrainingError

#: in what gloo raises where another process has left the group
_OTHER_IS_GONE = ('Connection closed by peer', 'Connection reset by peer')
_SECONDS_TO_SPEAK = 20.0  # twice what a process waits for the first to tell the error of all
_SECONDS_TO_WONDER, _SECONDS_TO_MEET = 30.0, 240.0  # that the others are waited for, unsaid and in all
_SECONDS_BETWEEN_LOOKS = 3.0  # for the launcher

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
        ConfigError: a launcher whose environment is not there or cannot be, more processes than devices, or processes
            that do not come.
        TrainingError: another process has ended, in place of what the exchange with it raised.
    """
    if launcher != 'none':
        _map_environment(launcher)
    elif 'TORCHELASTIC_RUN_ID' in os.environ and read_number('WORLD_SIZE', 1) > 1:
        raise ConfigError('torchrun has started several processes, which would all do the same: add --launcher pytorch')
    if problem := check_devices(1 if launcher == 'none' else processes_here(), device):
        raise ConfigError(problem)
    on_gpu = uses_gpu(device)
    if launcher != 'none':
        for library in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
            os.environ.setdefault(library, '1')  # mmengine would, with a warning from each process
        if on_gpu:
            torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        _meet('nccl' if on_gpu else 'gloo', timedelta(minutes=timeout_minutes))
    try:
        yield torch.device('cuda', int(os.environ.get('LOCAL_RANK', 0))) if on_gpu else torch.device('cpu')
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # they hold the model, which has to go before the group
        if isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OTHER_IS_GONE):
            time.sleep(_SECONDS_TO_SPEAK)  # it says why, and the launcher ends this one
            raise TrainingError('another process of this run has ended; its own message says why') from error
        if lost := lost_worker(error):
            raise TrainingError(lost) from error
        raise
    finally:
        if dist.is_initialized():
            gc.collect()  # a DDP reducer that outlives its group ends the process by `terminate called`
            dist.destroy_process_group()


def lost_worker(error: BaseException) -> str | None:
    """A sentence if ``error`` is what a loader or a pool raises whose worker was killed: torch and joblib have many.

    An error that a worker raised itself ("Caught ... in DataLoader worker process") is not of these.
    """
    worker = 'a worker of a data loader'
    told = f'{error.__cause__ or error.__context__} {error}'  # which of torch's two errors comes is a matter of time
    receives = '_try_get_data' in [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    found = re.search(r'DataLoader worker.*?(?:(killed by signal: [\w ]+)|exited unexpectedly)', told)
    remedy = 'set fewer num_workers or a smaller batch_size for it (after a bus error, more /dev/shm)'
    if isinstance(error, BrokenProcessPool):
        worker, remedy = 'a worker process', 'give fewer --jobs'
    elif not found and not (receives and isinstance(error, (ConnectionError, EOFError))):
        return None
    how = found[1] if found and found[1] else 'killed'
    return f'{worker} was {how.strip()}, most likely for want of memory: {remedy}'


def _end_with(launcher: int) -> None:
    """Kill this process when its ``launcher`` is there no more: torchrun and mpirun, killed, leave theirs behind."""
    while os.getppid() == launcher:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGKILL)


def _meet(backend: str, timeout: timedelta) -> None:
    """Join the process group; the first process of a node says it where others keep it waiting."""
    rank, world_size, address = (os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR'))
    where = f'{world_size} processes of this run at MASTER_ADDR {address}, port {os.environ["MASTER_PORT"]}'
    remedy = (
        'start the others too (the script on each node, with its NODE_RANK and the same NNODES, MASTER_ADDR and PORT), '
        'on nodes that can reach that port'
    )
    told = f'process {rank} has waited {_SECONDS_TO_WONDER:.0f} s to meet the {where}: {remedy}'
    wonder = threading.Timer(_SECONDS_TO_WONDER, print, [f'warning: {told}'], dict(file=sys.stderr, flush=True))
    if os.environ['LOCAL_RANK'] == '0':
        wonder.start()
    try:
        meeting = dist.rendezvous('env://', timeout=timedelta(seconds=_SECONDS_TO_MEET))
        store, _, _ = next(meeting)
        store.set_timeout(timeout)
        dist.init_process_group(backend, store=store, rank=int(rank), world_size=int(world_size), timeout=timeout)
    except (dist.DistNetworkError, dist.DistStoreError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f'process {rank} did not meet the {where} ({reason}): {remedy}') from error
    finally:
        wonder.cancel()


def _map_environment(launcher: str) -> None:
    """Give torch's names to what SLURM or MPI says of this process.

    Raises:
        ConfigError: a place that is not said, or cannot be.
    """
    try:
        _read_environment(launcher)
    except ValueError as error:
        raise ConfigError(f'--launcher {launcher}: {error}') from None


def _read_environment(launcher: str) -> None:
    if launcher == 'slurm':
        first_node = os.environ.get('MASTER_ADDR') or _first_slurm_node(os.environ.get('SLURM_NODELIST', ''))
        os.environ.setdefault('MASTER_ADDR', first_node)
        # steps of one job differ in nothing else that every process knows: spread jobs over ports
        os.environ.setdefault('MASTER_PORT', str(20000 + read_number('SLURM_JOB_ID', 0, default=0) % 20000))
    elif launcher == 'mpi':
        if 'MPI_LOCALNRANKS' in os.environ:  # Intel's and MPICH's
            os.environ.setdefault('LOCAL_WORLD_SIZE', os.environ['MPI_LOCALNRANKS'])
        os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
        os.environ.setdefault('MASTER_PORT', '29500')
    names = {name: name for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'LOCAL_WORLD_SIZE')}
    for ours, theirs in _THEIR_NAMES.get(launcher, {}).items():
        if os.environ.get(theirs):
            os.environ[ours], names[ours] = os.environ[theirs], theirs
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK') if name not in os.environ]
    if missing:
        remedy = 'start through tools/dist_train.sh (pytorch), tools/slurm_train.sh (slurm) or mpirun (mpi)'
        raise ValueError(f'{", ".join(missing)} not set in the environment; {remedy}')
    world_size = read_number(names['WORLD_SIZE'], 1)
    here = read_number(names['LOCAL_WORLD_SIZE'], 1, world_size, default=world_size)
    read_number(names['RANK'], 0, world_size - 1)
    read_number(names['LOCAL_RANK'], 0, here - 1)
    check_address(os.environ.get('MASTER_ADDR', '127.0.0.1'), read_number('MASTER_PORT', 1, 65535), is_here=False)


def _first_slurm_node(node_list: str) -> str:
    """The first host of SLURM's compressed list, as ``scontrol`` expands it."""
    if '[' not in node_list:
        return node_list.split(',')[0] or '127.0.0.1'
    try:
        hosts = subprocess.run(['scontrol', 'show', 'hostname', node_list], capture_output=True, text=True, check=True)
        [first, *_] = hosts.stdout.split()
        if ']' in first:
            raise ValueError('half a bracket')
        return first
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        remedy = 'set MASTER_ADDR to the first node'
        raise ValueError(
            f'SLURM_NODELIST is {node_list!r}, which scontrol does not expand: {remedy} ({error})'
        ) from None
