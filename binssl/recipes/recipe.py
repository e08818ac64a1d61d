"""Recipes, whose steps hand their weights on, and suites of tasks for one network: read from config files."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from binssl.engine.config import load_config
from binssl.registry import ConfigError, nearest_names

SUITES = Path('configs/benchmarks/suites')
RECIPE_KEYS = ('title', 'work_dir', 'configs', 'steps', 'test', 'rows', 'picture')
SUITE_KEYS = ('title', 'tasks')
TASK_KEYS = ('name', 'config', 'kind', 'shows', 'options')
KINDS = ('train', 'init', 'test', 'probe', 'svm')
#: what takes a network through a task, and the option that its file goes to
TAKES = {'test': 'checkpoint', 'svm': 'checkpoint', 'probe': 'pretrained'}
OWN_TEST = 'own'
WEIGHTS = {'trunk': 'extract_weights.py', 'multi': 'extract_weights_for_multi.py'}


@dataclass(frozen=True)
class Step:
    """One step of a recipe, or a task of a suite.

    Args:
        name: also the name of its folder; of a task, such as 'semi_1percent', what stands before the first '_' names a
            group, 'semi'.
        kind: 'train' trains a config and extracts weights; 'init' writes the network of a config as it is initialised;
            'test' tests weights as a config says; 'probe' trains a config from given weights and tests what came out;
            'svm' fits support vector machines to the features of weights.
        config: path of the config.
        inputs: where the weights of earlier steps go: ``{'model.teacher.checkpoint': 'teacher'}`` (an option of the
            config -> a step); for a test ``{'checkpoint': step}``.
        files: the same for files that no step makes: ``{'pretrained': 'weights.pth'}``.
        data: SHA-256 of the data, where it is known: other data, and the step is run again.
        weights: what a training hands on: 'trunk' (backbone and neck), or 'multi' (with both heads, for a next stage).
        options: further options of the config.
        optional: only run when everything is asked for (``--full``).
        shows: of the numbers that come out, those for a suite's table, with their headings.

    Raises:
        ConfigError: a kind, or weights, that do not exist.
    """

    name: str
    config: str
    kind: str = 'train'
    inputs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    data: str = ''
    weights: str = 'trunk'
    options: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False
    shows: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, value, known in (('kind', self.kind, KINDS), ('weights', self.weights, WEIGHTS)):
            if value not in known:
                raise ConfigError(f'step {self.name!r}: no {what} is called {value!r}; {nearest_names(value, known)}')

    @property
    def output(self) -> str:
        """The file that the step is for."""
        return 'results.json' if self.kind in TAKES else 'weights.pth'

    @property
    def protocol(self) -> str:
        """What the config's first line says of it."""
        text = ast.get_docstring(ast.parse(Path(self.config).read_text(encoding='utf-8'))) or self.config
        return text.splitlines()[0]


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


@dataclass(frozen=True)
class Suite:
    """The tasks that a trained network is put through on one data set, by name; ``name`` is that of the file."""

    name: str
    title: str
    tasks: Mapping[str, Step]

    def chosen(self, wanted: Sequence[str]) -> list[Step]:
        """The tasks that ``wanted`` names, by their names or their groups; all where nothing is wanted."""
        return [
            task for name, task in self.tasks.items() if not wanted or name in wanted or name.split('_')[0] in wanted
        ]


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a config file: its ``steps``, and the ``rows`` of its table, whose weights go through ``test``.

    ``test`` is a config for all of them, or 'own': each step's own config, for classifiers with their heads.
    ``configs`` is what the paths of the steps' configs begin with, if they have that in common.

    Raises:
        ConfigError: the file cannot be read, a key or step that does not exist, an input that is not made before.
    """
    cfg = _read_keys('recipe', path, RECIPE_KEYS, 'steps')
    known = [f.name for f in fields(Step) if f.name != 'shows']
    written = [_step('step', given, known, ('name', 'config')) for given in cfg['steps']]
    steps = _in_order(replace(step, config=cfg.get('configs', '') + step.config) for step in written)
    rows, picture = cfg.get('rows', {}), cfg.get('picture', {})
    for name in [*rows.values(), *picture.get('curves', []), *([picture['embedding']] if picture else [])]:
        if name not in steps:
            raise ConfigError(f'recipe {path}: the report shows {name!r}, and no step is called so')
    if rows and not cfg.get('test'):
        raise ConfigError(f'recipe {path} has rows for a table, but no `test`: the config that gives their numbers')
    if cfg.get('test') and not rows:
        raise ConfigError(f'recipe {path} has a `test`, but no `rows` that say which steps go through it')
    tests = [_test_of(steps[name], cfg['test']) for name in rows.values()]
    steps = _in_order([*steps.values(), *tests])
    work_dir = cfg.get('work_dir', f'work_dirs/{Path(path).stem}')
    return Recipe(cfg.get('title', Path(path).stem), work_dir, steps, rows, picture)


def read_suites(wanted: Sequence[str]) -> list[Suite]:
    """The suites of those names or files; all of :data:`SUITES` where nothing is wanted."""
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
        ConfigError: the file cannot be read, has no tasks or a key that nothing reads; a task of a kind that takes no
            network through it, without a number to show or a config.
    """
    cfg = _read_keys('suite', path, SUITE_KEYS, 'tasks')
    given = {name: {'kind': 'test', 'name': name, **task} for name, task in cfg['tasks'].items()}
    tasks = _in_order(_step('task', task, TASK_KEYS, ('config', 'shows')) for task in given.values())
    for name, task in tasks.items():
        if task.kind not in TAKES:
            raise ConfigError(f'task {name!r}: no kind is called {task.kind!r}; {nearest_names(task.kind, TAKES)}')
        if not task.shows:
            raise ConfigError(f"task {name!r} shows nothing: give shows=dict(top1='top-1')")
    return Suite(path.stem, cfg.get('title', path.stem), tasks)


def check_tasks(wanted: Sequence[str], suites: Sequence[Suite]) -> None:
    """Raises a ConfigError unless each of ``wanted`` names a task, or a group of tasks, of some suite."""
    names = {name for suite in suites for task in suite.tasks for name in (task, task.split('_')[0])}
    for name in wanted:
        if name not in names:
            raise ConfigError(f'no task is called {name!r}; {nearest_names(name, names)}')


def _read_keys(what: str, path: str | Path, known: Sequence[str], needed: str) -> dict[str, Any]:
    """The ``known`` keys of a config file that describes no run itself; helper variables start with an underscore."""
    try:
        cfg = Config.fromfile(str(path)).to_dict()
    except Exception as error:
        # a config is Python: anything may come out of it, and what the person needs is which file and what
        raise ConfigError(f'{what} {path} cannot be read: {type(error).__name__}: {error}') from error
    for key in cfg:
        if key not in known and not key.startswith('_'):
            raise ConfigError(f'{what} {path}: nothing reads {key!r}; {nearest_names(key, known)}')
    if not cfg.get(needed):
        raise ConfigError(f'{what} {path} has no {needed}')
    return cfg


def _test_of(step: Step, test: str) -> Step:
    """The test of what ``step`` makes: by the config ``test``, or by the step's own."""
    name, inputs = f'test_{step.name}', {'checkpoint': step.name}
    if test != OWN_TEST:
        return Step(name, test, 'test', inputs)
    if step.weights != 'multi':
        raise ConfigError(f"step {step.name!r} is tested as its config says, with its head: give it weights='multi'")
    if load_config(step.config).get('test_evaluator') is None:
        raise ConfigError(f"step {step.name!r}: {step.config} has no test of its own, and the recipe says test='own'")
    return Step(name, step.config, 'test', inputs, options=step.options)


def _step(what: str, given: Mapping[str, Any], known: Sequence[str], needed: Sequence[str]) -> Step:
    """A 'step' or 'task' as the file gives it."""
    name = given.get('name')
    for key in given:
        if key not in known:
            raise ConfigError(f'{what} {name!r} does not take {key!r}; {nearest_names(key, known)}')
    if missing := [key for key in needed if key not in given]:
        raise ConfigError(f'{what} {name!r} needs {" and ".join(missing)}; it has {sorted(given)}')
    return Step(**given)


def _in_order(steps: Iterable[Step]) -> dict[str, Step]:
    """The steps by name; each may only take what an earlier one makes, so there is no circle."""
    ordered: dict[str, Step] = {}
    for step in steps:
        if step.name in ordered:
            raise ConfigError(f'two steps of the recipe are called {step.name!r}')
        for source in step.inputs.values():
            if source not in ordered:
                raise ConfigError(
                    f'step {step.name!r} takes the weights of {source!r}, which no step before it makes; '
                    f'{nearest_names(source, ordered)}'
                )
        if not Path(step.config).is_file():
            raise ConfigError(f'step {step.name!r}: there is no config {step.config}')
        ordered[step.name] = step
    return ordered
