"""A suite: the tasks that a trained network is put through on one data set, read from a config file."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from binssl.recipes.recipe import Step, read_plan
from binssl.registry import ConfigError, nearest_names

SUITES = Path('configs/benchmarks/suites')
SUITE_KEYS = ('title', 'tasks')
#: what takes a network through a task, and the option that its file goes to
TAKES = {'test': 'checkpoint', 'svm': 'checkpoint', 'probe': 'pretrained'}


@dataclass(frozen=True)
class Task:
    """One task of a suite.

    Args:
        name: such as 'semi_1percent'; what stands before the first '_' names a group, 'semi'.
        config: path of the config.
        kind: 'test' tests the frozen network as it is; 'svm' fits support vector machines to its features; 'probe'
            trains the config from it, and tests what came out.
        shows: of the numbers that come out, those for the table, with their headings.
        options: options of the config.

    Raises:
        ConfigError: a kind that does not exist, no number to show, or no such config.
    """

    name: str
    config: str
    shows: Mapping[str, str]
    kind: str = 'test'
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in TAKES:
            raise ConfigError(f'task {self.name!r}: no kind is called {self.kind!r}; {nearest_names(self.kind, TAKES)}')
        if not self.shows:
            raise ConfigError(f"task {self.name!r} shows nothing: give shows=dict(top1='top-1')")
        if not Path(self.config).is_file():
            raise ConfigError(f'task {self.name!r}: there is no config {self.config}')

    @property
    def protocol(self) -> str:
        """What the config's first line says of it."""
        text = ast.get_docstring(ast.parse(Path(self.config).read_text(encoding='utf-8'))) or self.config
        return text.splitlines()[0]

    def step(self, suite: str, weights: str, data: str) -> Step:
        """The task as a step that a recipe's runner can run.

        Args:
            suite: its name, before the task's.
            weights: the file to be evaluated.
            data: SHA-256 of the data.
        """
        return Step(
            f'{suite}.{self.name}',
            self.config,
            self.kind,
            files={TAKES[self.kind]: weights},
            data=data,
            options=self.options,
        )


@dataclass(frozen=True)
class Suite:
    """The tasks on one data set.

    Args:
        name: of its file.
        title: for people.
        tasks: by name.
    """

    name: str
    title: str
    tasks: Mapping[str, Task]

    def chosen(self, wanted: Sequence[str]) -> list[Task]:
        """The tasks that ``wanted`` names, by their names or their groups; all where nothing is wanted."""
        return [
            task for name, task in self.tasks.items() if not wanted or name in wanted or name.split('_')[0] in wanted
        ]


def read_suites(wanted: Sequence[str]) -> list[Suite]:
    """The suites of those names or files; all of :data:`SUITES` where nothing is wanted.

    Raises:
        ConfigError: one is not there, or cannot be read.
    """
    known = {path.stem: path for path in sorted(SUITES.glob('*.py'))}
    if not known and not wanted:
        raise ConfigError(f'there are no suites in {SUITES}: start from the root of the project, or give --suite FILE')
    files = []
    for name in wanted or known:
        file = known.get(name, Path(name) if name.endswith('.py') else Path(f'{name}.py'))
        if not file.is_file():
            raise ConfigError(f'there is no suite {name!r}; {nearest_names(name, known)}')
        files.append(file)
    return [read_suite(file) for file in files]


def read_suite(path: Path) -> Suite:
    """The suite in a config file.

    Raises:
        ConfigError: the file cannot be read, has no tasks, or a key that nothing reads.
    """
    cfg = read_plan('suite', path, SUITE_KEYS, 'tasks')
    tasks = {name: _task(name, given) for name, given in cfg['tasks'].items()}
    return Suite(path.stem, cfg.get('title', path.stem), tasks)


def check_tasks(wanted: Sequence[str], suites: Sequence[Suite]) -> None:
    """Raises a ConfigError unless each of ``wanted`` names a task, or a group of tasks, of some suite."""
    names = {name for suite in suites for task in suite.tasks for name in (task, task.split('_')[0])}
    for name in wanted:
        if name not in names:
            raise ConfigError(f'no task is called {name!r}; {nearest_names(name, names)}')


def _task(name: str, given: Mapping[str, Any]) -> Task:
    known = [f.name for f in fields(Task) if f.name != 'name']
    for key in given:
        if key not in known:
            raise ConfigError(f'task {name!r} does not take {key!r}; {nearest_names(key, known)}')
    if missing := {'config', 'shows'} - set(given):
        raise ConfigError(f'task {name!r} needs {", ".join(sorted(missing))}')
    return Task(name, **given)
