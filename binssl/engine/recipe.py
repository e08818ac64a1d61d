"""A recipe: steps that hand their weights on, and the records that let a restart skip what is done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from binssl.checkpoints import file_sha256
from binssl.engine.config import config_hash, load_config, plain
from binssl.registry import ConfigError, nearest_names

RECIPE_KEYS = ('title', 'work_dir', 'steps', 'test', 'rows', 'picture')
KINDS = ('train', 'init', 'test')
WEIGHTS = {'trunk': 'extract_weights.py', 'multi': 'extract_weights_for_multi.py'}


@dataclass(frozen=True)
class Step:
    """One step of a recipe.

    Args:
        name: also the name of its folder.
        kind: 'train' trains a config and extracts weights; 'init' writes the network of a config as it is initialised;
            'test' tests weights as a config says.
        config: path of the config.
        inputs: where the weights of earlier steps go: ``{'model.teacher.checkpoint': 'teacher'}`` (an option of the
            config -> a step); for a test ``{'checkpoint': step}``.
        weights: what a training hands on: 'trunk' (backbone and neck), or 'multi' (with both heads, for a next stage).
        options: further options of the config.
        optional: only run when everything is asked for (``--full``).

    Raises:
        ConfigError: a kind, or weights, that do not exist.
    """

    name: str
    config: str
    kind: str = 'train'
    inputs: Mapping[str, str] = field(default_factory=dict)
    weights: str = 'trunk'
    options: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False

    def __post_init__(self) -> None:
        for what, value, known in (('kind', self.kind, KINDS), ('weights', self.weights, WEIGHTS)):
            if value not in known:
                raise ConfigError(f'step {self.name!r}: no {what} is called {value!r}; {nearest_names(value, known)}')

    @property
    def output(self) -> str:
        """The file that the step is for."""
        return 'results.json' if self.kind == 'test' else 'weights.pth'


@dataclass(frozen=True)
class Recipe:
    """A recipe's steps, in an order in which they could run one by one, and what its report shows."""

    title: str
    work_dir: str
    steps: dict[str, Step]
    rows: dict[str, str]
    picture: dict[str, Any]

    def chosen(self, until: str | None = None, full: bool = False) -> list[Step]:
        """The steps to run: all but the optional ones (all with ``full``), or ``until`` and what it needs.

        Raises:
            ConfigError: there is no step ``until``.
        """
        if until is None:
            return [step for step in self.steps.values() if full or not self._is_optional(step)]
        if until not in self.steps:
            raise ConfigError(f'the recipe has no step {until!r}; {nearest_names(until, self.steps)}')
        needed = self.needed_by(until)
        return [step for name, step in self.steps.items() if name in needed]

    def needed_by(self, name: str) -> set[str]:
        """``name`` and every step that it builds on."""
        return {name}.union(*(self.needed_by(other) for other in self.steps[name].inputs.values()))

    def _is_optional(self, step: Step) -> bool:
        return any(self.steps[name].optional for name in self.needed_by(step.name))


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a config file: its ``steps``, and the ``rows`` of its table, whose weights go through ``test``.

    Raises:
        ConfigError: the file cannot be read, a key or step that does not exist, an input that is not made before.
    """
    try:
        cfg = Config.fromfile(str(path)).to_dict()
    except Exception as error:
        # a config is Python: anything may come out of it, and what the person needs is which file and what
        raise ConfigError(f'recipe {path} cannot be read: {type(error).__name__}: {error}') from error
    for key in cfg:
        if key not in RECIPE_KEYS and not key.startswith('_'):
            raise ConfigError(f'recipe {path}: nothing reads {key!r}; {nearest_names(key, RECIPE_KEYS)}')
    if not cfg.get('steps'):
        raise ConfigError(f'recipe {path} has no steps')
    steps = _in_order(_step(given) for given in cfg['steps'])
    rows, picture = cfg.get('rows', {}), cfg.get('picture', {})
    for name in [*rows.values(), *picture.get('curves', []), *([picture['embedding']] if picture else [])]:
        if name not in steps:
            raise ConfigError(f'recipe {path}: the report shows {name!r}, and no step is called so')
    if rows and not cfg.get('test'):
        raise ConfigError(f'recipe {path} has rows for a table, but no `test`: the config that gives their numbers')
    tests = [Step(f'test_{name}', cfg['test'], 'test', {'checkpoint': name}) for name in rows.values()]
    steps = _in_order([*steps.values(), *tests])
    work_dir = cfg.get('work_dir', f'work_dirs/{Path(path).stem}')
    return Recipe(cfg.get('title', Path(path).stem), work_dir, steps, rows, picture)


def _step(given: Mapping[str, Any]) -> Step:
    known = [f.name for f in fields(Step)]
    for key in given:
        if key not in known:
            raise ConfigError(f'step {given.get("name")!r} does not take {key!r}; {nearest_names(key, known)}')
    if 'name' not in given or 'config' not in given:
        raise ConfigError(f'every step of a recipe needs a name and a config; this has {sorted(given)}')
    return Step(**given)


def _in_order(steps: Iterable[Step]) -> dict[str, Step]:
    """The steps by name; each may only take what an earlier one makes, so there is no circle."""
    ordered: dict[str, Step] = {}
    for step in steps:
        if step.name in ordered:
            raise ConfigError(f'two steps of the recipe are called {step.name!r}')
        for source in step.inputs.values():
            if source not in ordered:
                raise ConfigError(f'step {step.name!r} takes the weights of {source!r}, which no step before it makes; '
                                  f'{nearest_names(source, ordered)}')
        if not Path(step.config).is_file():
            raise ConfigError(f'step {step.name!r}: there is no config {step.config}')
        ordered[step.name] = step
    return ordered


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

    def input_files(self) -> dict[str, Path]:
        """The files that the step takes, by the option that they are given to."""
        seed_folder = self.work_dir / f'seed{self.seed}'
        return {option: seed_folder / source / 'weights.pth' for option, source in self.step.inputs.items()}

    @cached_property
    def _config_hash(self) -> str:
        return config_hash(plain(load_config(self.step.config, self.step.options).to_dict()))

    def fingerprint(self) -> dict[str, Any]:
        """All that decides what comes out: the config as read, the seed, the SHA-256 of each input."""
        hashes = {option: file_sha256(path) for option, path in self.input_files().items()}
        return dict(kind=self.step.kind, weights=self.step.weights, seed=self.seed, config_hash=self._config_hash,
                    inputs=hashes)  # fmt: skip

    def is_done(self) -> bool:
        """Whether ``done.json`` is there and everything is as it says: config, inputs and output."""
        done = _read(self.folder / 'done.json')
        if not done or not self.output.is_file() or not all(path.is_file() for path in self.input_files().values()):
            return False
        same = done.get('fingerprint') == self.fingerprint()
        return same and done.get('outputs') == {self.step.output: file_sha256(self.output)}

    def begin(self) -> str:
        """Make the folder ready: what the same step began stays, to go on from; what another began goes.

        Returns:
            'starts', 'goes on', or 'starts anew' where something that it is made from, or what it made, has changed.

        Raises:
            ConfigError: the folder holds something that no recipe has put there.
        """
        record, now = _read(self.folder / 'step.json'), self.fingerprint()
        if self.folder.is_dir() and any(self.folder.iterdir()) and not record:
            raise ConfigError(f'{self.folder} holds something that no recipe made: remove it, or change --work-dir')
        if record and (record['fingerprint'] != now or self._was_done()):
            shutil.rmtree(self.folder)
            state, record = 'starts anew', {}
        else:
            state = 'goes on' if record else 'starts'
        self.folder.mkdir(parents=True, exist_ok=True)
        before = record['seconds_before'] + self._last_seconds(record) if record else 0.0
        _write(self.folder / 'step.json', dict(fingerprint=now, started=time.time(), seconds_before=before))
        return state

    def _was_done(self) -> bool:
        """Whether it was finished once: its output has changed since, and is to be made anew."""
        return (self.folder / 'done.json').is_file()

    def _last_seconds(self, record: Mapping[str, Any]) -> float:
        """How long an attempt that was cut off had run: until its last line."""
        log = self.folder / 'log.txt'
        return max(0.0, log.stat().st_mtime - record['started']) if log.is_file() else 0.0

    def finish(self, commands: Sequence[Sequence[str]]) -> float:
        """Write ``done.json``; gives the seconds that the step took, those before an interruption included."""
        record = _read(self.folder / 'step.json')
        seconds = record['seconds_before'] + time.time() - record['started']
        done = dict(fingerprint=record['fingerprint'], outputs={self.step.output: file_sha256(self.output)},
                    seconds=round(seconds, 1), config=self.step.config, commit=current_commit(),
                    commands=[' '.join(command) for command in commands])  # fmt: skip
        _write(self.folder / 'done.json', done)
        return seconds

    def commands(self, python: str, tools: Path) -> list[list[str]]:
        """The command lines of the step; anybody can give the same ones by hand."""
        out, inputs, step = str(self.output), self.input_files(), self.step
        if step.kind == 'test':
            options = [f'{key}={value}' for key, value in step.options.items()]
            return [[python, str(tools / 'test.py'), step.config, str(inputs['checkpoint']),
                     '--work-dir', str(self.folder), *(['--cfg-options', *options] if options else [])]]  # fmt: skip
        if step.kind == 'init':
            return [[python, str(tools / 'init_weights.py'), step.config, out, '--seed', str(self.seed), '--force']]
        # quoted: a comma in a path would make it a list
        paths = {option: repr(str(path)) for option, path in inputs.items()}
        options = [f'{key}={value}' for key, value in {**step.options, **paths}.items()]
        train = [python, str(tools / 'train.py'), step.config, '--work-dir', str(self.folder), '--seed', str(self.seed),
                 '--resume', 'auto', *(['--cfg-options', *options] if options else [])]  # fmt: skip
        extract = [python, str(tools / WEIGHTS[step.weights]), str(self.folder / 'latest.pth'), out, '--force']
        return [train, extract]


def current_commit() -> str | None:
    """The commit of the code, with ``+`` where it was changed since; None outside a repository."""
    root = Path(__file__).parents[2]
    described = subprocess.run(['git', 'describe', '--always', '--abbrev=12', '--dirty=+', '--exclude=*'], cwd=root,
                               capture_output=True, text=True)  # fmt: skip
    return described.stdout.strip() or None


def _read(path: Path) -> dict[str, Any]:
    """A record, or {} where there is none or a broken one."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record so that a kill leaves the old one or the new one."""
    new = path.with_name(f'.{path.name}.new')
    new.write_text(json.dumps(record, indent=1) + '\n')
    os.replace(new, path)
