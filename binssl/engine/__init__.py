"""The thin layer over mmengine's Runner: configs, processes, optimiser, loops, checkpoints of a run."""

from binssl.engine.batch_norm import ProcessBatchNorm, synchronise_batch_norm
from binssl.engine.config import load_config, parse_options
from binssl.engine.launch import LAUNCHERS, processes
from binssl.engine.loops import EpochLoop
from binssl.engine.optimiser import OptimWrapper, ParameterGroups
from binssl.engine.runner import Runner
