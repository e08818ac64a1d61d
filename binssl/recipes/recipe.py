"""A recipe: steps that hand their weights on, read from a config file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mmengine.config import Config

from binssl.engine.config import load_config
from binssl.registry import ConfigError, nearest_names

RECIPE_KEYS = ('title', 'work_dir', 'steps', 'test', 'rows', 'picture')
KINDS = ('train', 'init', 'test', 'probe', 'svm')
OWN_TEST = 'own'
WEIGHTS = {'trunk': 'extract_weights.py', 'multi': 'extract_weights_for_multi.py'}


@dataclass(frozen=True)
class Step:
    """One step of a recipe.

    Args:
        name: also the name of its folder.
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

    def __post_init__(self) -> None:
        for what, value, known in (('kind', self.kind, KINDS), ('weights', self.weights, WEIGHTS)):
            if value not in known:
                raise ConfigError(f'step {self.name!r}: no {what} is called {value!r}; {nearest_names(value, known)}')

    @property
    def output(self) -> str:
        """The file that the step is for."""
        return 'results.json' if self.kind in ('test', 'probe', 'svm') else 'weights.pth'


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

    ``test`` is a config for all of them, or 'own': each step's own config, for classifiers with their heads.

    Raises:
        ConfigError: the file cannot be read, a key or step that does not exist, an input that is not made before.
    """
    cfg = read_plan('recipe', path, RECIPE_KEYS, 'steps')
    steps = _in_order(_step(given) for given in cfg['steps'])
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


def read_plan(what: str, path: str | Path, known: Sequence[str], needed: str) -> dict[str, Any]:
    """The keys of a config file that describes no run itself.

    Args:
        what: 'recipe' or 'suite', for errors.
        path: the file.
        known: the keys that something reads; helper variables start with an underscore.
        needed: the key that must hold something.

    Raises:
        ConfigError: the file cannot be read, has another key, or lacks the one that is needed.
    """
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
    """The test of what ``step`` makes.

    Raises:
        ConfigError: it is the step's own, and the step's config has none, or its weights leave the head out.
    """
    name, inputs = f'test_{step.name}', {'checkpoint': step.name}
    if test != OWN_TEST:
        return Step(name, test, 'test', inputs)
    if step.weights != 'multi':
        raise ConfigError(f"step {step.name!r} is tested as its config says, with its head: give it weights='multi'")
    if load_config(step.config).get('test_evaluator') is None:
        raise ConfigError(f"step {step.name!r}: {step.config} has no test of its own, and the recipe says test='own'")
    return Step(name, step.config, 'test', inputs, options=step.options)


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
                raise ConfigError(
                    f'step {step.name!r} takes the weights of {source!r}, which no step before it makes; '
                    f'{nearest_names(source, ordered)}'
                )
        if not Path(step.config).is_file():
            raise ConfigError(f'step {step.name!r}: there is no config {step.config}')
        ordered[step.name] = step
    return ordered
