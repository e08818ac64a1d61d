"""A step of a recipe with a seed: its folder, its command lines, and the record that lets a restart skip it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from binssl.core.files import current_commit, file_sha256, has_form, read_json, write_json
from binssl.engine.config import load_config
from binssl.engine.experiment import RUNTIME_KEYS, config_hash, known_part, plain
from binssl.recipes.recipe import WEIGHTS, Step
from binssl.registry import ConfigError


@dataclass(frozen=True)
class Job:
    """A step with a seed: what runs, in a folder of its own, ``<work_dir>/seed<k>/<step>``.

    ``step.json`` in it says what was started, ``done.json`` what was finished.
    """

    step: Step
    seed: int
    work_dir: Path

    @property
    def label(self) -> str:
        return f'seed{self.seed}/{self.step.name}'

    @property
    def folder(self) -> Path:
        return self.work_dir / f'seed{self.seed}' / self.step.name

    @property
    def output(self) -> Path:
        return self.folder / self.step.output

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers that a test, or what ends in one, came to."""
        results = read_json(self.output, metrics={...: float})
        if not results:
            raise ConfigError(f'{self.output} is damaged: remove {self.folder}, and the step is run again')
        return results['metrics']

    @property
    def record(self) -> dict[str, Any]:
        """What ``done.json`` says; {} where it is not there, or damaged."""
        form = dict(fingerprint=dict, outputs=dict, seconds=float, commit=(str, None), commands=[str])
        record = read_json(self.folder / 'done.json', **form)
        return record if has_form(record.get('core_seconds', 0.0), float) else {}

    @property
    def begun(self) -> dict[str, Any]:
        """What ``step.json`` says; {} where it is not there, or damaged."""
        return read_json(self.folder / 'step.json', fingerprint=dict, started=float, seconds_before=float)

    def input_files(self) -> dict[str, Path]:
        """The files that the step takes, by the option that they are given to."""
        seed_folder = self.work_dir / f'seed{self.seed}'
        made = {option: seed_folder / source / 'weights.pth' for option, source in self.step.inputs.items()}
        return made | {option: Path(file) for option, file in self.step.files.items()}

    @cached_property
    def _config_hash(self) -> str:
        return config_hash(deciding_part(load_config(self.step.config, self.step.options), self.step.kind))

    def fingerprint(self) -> dict[str, Any]:
        """What decides what comes out: that part of the config, the seed, the SHA-256 of each input.

        Not the number of processes, which shares out the same steps; where BatchNorms are not synchronised
        (``sync_bn``), their batches do depend on it.
        """
        hashes = {option: file_sha256(path) for option, path in self.input_files().items()}
        step = self.step
        known = dict(kind=step.kind, weights=step.weights, seed=self.seed, config_hash=self._config_hash, inputs=hashes)
        return dict(known, data=step.data) if step.data else known

    def is_done(self) -> bool:
        """Whether ``done.json`` is there and everything is as it says: config, inputs and output."""
        done = self.record
        if not done or not self.output.is_file() or not all(path.is_file() for path in self.input_files().values()):
            return False
        same = done.get('fingerprint') == self.fingerprint()
        return same and done.get('outputs') == {self.step.output: file_sha256(self.output)}

    def begin(self) -> str:
        """Make the folder ready: what the same step began stays, to go on from; what another began is moved aside.

        Returns:
            'starts', 'goes on', or 'starts anew' and the folder's name now, where something that it is made from, or
            what it made, has changed.
        """
        record, now = self.begun, self.fingerprint()
        if self.folder.is_dir() and any(self.folder.iterdir()) and not record:
            told = 'holds something that no recipe made, or a damaged step.json'
            raise ConfigError(f'{self.folder} {told}: remove it, or change --work-dir')
        was_done = (self.folder / 'done.json').is_file()  # its output has changed since, and is to be made anew
        if record and (record['fingerprint'] != now or was_done):
            names = (self.folder.with_name(f'{self.folder.name}.before{count}') for count in itertools.count(1))
            aside = next(name for name in names if not name.exists())
            self.folder.rename(aside)
            state, record = f'starts anew (another config, input or output: what was there is in {aside})', {}
        else:
            state = 'goes on' if record else 'starts'
        self.folder.mkdir(parents=True, exist_ok=True)
        before, log = record.get('seconds_before', 0.0), self.folder / 'log.txt'
        if record and log.is_file():  # an attempt that was cut off ran until its last line
            before += max(0.0, log.stat().st_mtime - record['started'])
        write_json(self.folder / 'step.json', dict(fingerprint=now, started=time.time(), seconds_before=before))
        return state

    def finish(self, commands: Sequence[Sequence[str]], core_seconds: float = 0.0) -> float:
        """Write ``done.json``; gives the seconds that the step took, those before an interruption included.

        The processor time of ``commands`` is written only where nothing was interrupted: that of a killed process is
        not known.
        """
        record = self.begun
        if not record:
            raise ConfigError(
                f'{self.folder / "step.json"} was damaged meanwhile: remove {self.folder}, and start again'
            )
        seconds = record['seconds_before'] + time.time() - record['started']
        done = dict(
            fingerprint=record['fingerprint'],
            outputs={self.step.output: file_sha256(self.output)},
            seconds=round(seconds, 1),
            config=self.step.config,
            commit=current_commit(),
            commands=[' '.join(command) for command in commands],
        )
        if not record['seconds_before']:
            done['core_seconds'] = round(core_seconds, 1)
        write_json(self.folder / 'done.json', done)
        return seconds

    def commands(self, python: str, tools: Path, processes: int = 1) -> list[list[str]]:
        """The command lines of the step; anybody can give the same ones by hand.

        A training or test runs in so many ``processes``; a config's ``global_batch_size`` keeps the step the same.
        """
        step, inputs, out = self.step, self.input_files(), str(self.output)
        if step.kind == 'init':
            return [[python, str(tools / 'init_weights.py'), step.config, out, '--seed', str(self.seed), '--force']]

        def run(name: str, *files: str | Path) -> list[str]:
            """A tool in one process, or in several that are joined."""
            named = [str(file) for file in files]
            if processes > 1:
                return ['bash', str(tools / f'dist_{name}.sh'), *named, str(processes)]
            return [python, str(tools / f'{name}.py'), *named]

        if step.kind in ('test', 'svm'):
            kept = [] if step.kind == 'test' else ['--features', str(self.work_dir / 'features')]
            tested = run('test' if step.kind == 'test' else 'test_svm', step.config, inputs['checkpoint'])
            return [[*tested, '--work-dir', str(self.folder), *kept, *options_flag(step.options)]]
        # quoted: a comma in a path would make it a list
        options = {**step.options, **{option: repr(str(path)) for option, path in inputs.items()}}
        flags = ['--work-dir', str(self.folder), '--seed', str(self.seed), '--resume', 'auto', *options_flag(options)]
        train, latest = [*run('train', step.config), *flags], self.folder / 'latest.pth'
        if step.kind == 'train':
            return [train, [python, str(tools / WEIGHTS[step.weights]), str(latest), out, '--force']]
        test = ['--work-dir', str(self.folder / 'test'), '--out', out, *options_flag(step.options)]
        return [train, [*run('test', step.config, latest), *test]]


#: keys of a config that decide nothing of what comes out, and hooks that only watch and write
WITHOUT_EFFECT = 'work_dir experiment_name how_to_get visualizer log_level env_cfg resume launcher'.split()
WATCHING_HOOKS = (
    'gradients not_a_number progress information weight_signs activation_signs feature_spread distributions checkpoint'
).split()


def deciding_part(cfg: Config, kind: str) -> dict[str, Any]:
    """The part of ``cfg`` that decides what a step of that ``kind`` makes, as plain data; all that may is in it."""
    loaders = [key for key in RUNTIME_KEYS if key != 'checkpoint']  # a teacher's file is no matter of speed
    left_out = {*WITHOUT_EFFECT, *(key for key in cfg if kind == 'train' and key.startswith('test_'))}
    parts = {key: plain(part, loaders) for key, part in known_part(cfg).items() if key not in left_out}
    return parts | {'default_hooks': plain(parts['default_hooks'], WATCHING_HOOKS)}


def options_flag(options: Mapping[str, Any]) -> list[str]:
    """``--cfg-options`` and what follows it; nothing for no options."""
    return ['--cfg-options', *(f'{key}={value}' for key, value in options.items())] if options else []
