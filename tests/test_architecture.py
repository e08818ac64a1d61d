"""The floors of the design and the rules of the style, read from the source of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: which of our packages each package may import, besides its own modules
FLOORS: dict[str, set[str]] = {
    'registry': set(),
    'core': {'registry'},
    'binary': {'registry', 'core'},
    'views': {'registry', 'core'},
    'backbones': {'registry', 'core', 'binary'},
    'necks': {'registry', 'core', 'binary'},
    'heads': {'registry', 'core', 'binary'},
    'datasets': {'registry', 'core', 'views'},
    'hooks': {'registry', 'core', 'binary'},
    'checkpoints': {'registry', 'core'},
    'evaluation': {'registry', 'core', 'binary', 'datasets'},
    # parts reach an algorithm through the registries only; a frozen teacher reads its weights
    'algorithms': {'registry', 'core', 'binary', 'views', 'checkpoints'},
    'engine': {'registry', 'core', 'views', 'datasets', 'checkpoints', 'evaluation', 'hooks'},
    # what people do with data, and with trained networks; only the tools know these rooms
    'data_tools': {'registry', 'core', 'views', 'datasets', 'engine'},
    'features': {'registry', 'core', 'views', 'datasets', 'checkpoints', 'evaluation', 'engine', 'data_tools'},
    'recipes': {'registry', 'core', 'datasets', 'checkpoints', 'evaluation', 'engine', 'features'},
    # `binssl.load_model`, imported when it is asked for
    '__init__': {'checkpoints'},
}
#: what an installation may lack; imported where it is used, with a message that names the extra
OPTIONAL = {
    'sklearn',
    'matplotlib',
    'tensorboard',
    'timm',
    'nvidia',
    'torchmetrics',
    'pycocotools',
    'umap',
    'safetensors',
    'joblib',
}
#: (file, module): imports inside a function that are not of an optional library
LAZY = {('binssl/__init__.py', 'binssl.checkpoints')}
#: parts whose forward runs on the device at every step
ON_DEVICE = ('binary', 'backbones', 'necks', 'heads', 'algorithms')

BINSSL = sorted(ROOT.glob('binssl/**/*.py'))
SCRIPTS = sorted([*ROOT.glob('tools/**/*.py'), *ROOT.glob('benchmarks/**/*.py')])
CONFIGS = sorted(ROOT.glob('configs/**/*.py'))
TESTS = sorted(ROOT.glob('tests/**/*.py'))


def short(path: Path) -> str:
    """The path inside the project, for messages and test names."""
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding='utf-8'), str(path))


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all modules that the code imports; relative ones start with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = '.' * node.level + (node.module or '')
            yield module
            if module == 'binssl':  # `from binssl import heads` imports a package too
                yield from (f'binssl.{alias.name}' for alias in node.names)


def package(path: Path) -> str:
    """binssl/heads/burn.py -> heads; binssl/registry.py -> registry."""
    return path.relative_to(ROOT / 'binssl').parts[0].removesuffix('.py')


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def public_definitions(path: Path) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Classes and functions of a module whose names do not start with an underscore."""
    for node in parse(path).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith('_'):
            yield node


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Calls of ``name(...)`` and ``anything.name(...)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name == getattr(node.func, 'attr', getattr(node.func, 'id', None)):
            yield node


def keyword(call: ast.Call, name: str) -> object:
    """The literal given for ``name`` in a call, None where it is not given."""
    values = [word.value for word in call.keywords if word.arg == name]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def test_every_package_has_a_floor() -> None:
    assert {package(path) for path in BINSSL} == set(FLOORS)


@pytest.mark.parametrize('path', BINSSL, ids=short)
def test_imports_go_down_only(path: Path) -> None:
    here = package(path)
    ours = {name.split('.')[1] for name in imported(parse(path)) if name.startswith('binssl.')}
    allowed = FLOORS[here] | {here}
    assert ours <= allowed, f'{short(path)} imports {sorted(ours - allowed)}; its floor allows {sorted(allowed)}'


@pytest.mark.parametrize('path', [*BINSSL, *SCRIPTS], ids=short)
def test_nobody_imports_scripts_tests_or_by_relative_names(path: Path) -> None:
    stray = [name for name in imported(parse(path)) if name.split('.')[0] in ('', 'tools', 'benchmarks', 'tests')]
    assert not stray, f'{short(path)} imports {stray}'


@pytest.mark.parametrize('path', [*BINSSL, *SCRIPTS], ids=short)
def test_imports_inside_functions_are_of_optional_libraries(path: Path) -> None:
    inside = {name for function in functions(parse(path)) for name in imported(function)}
    stray = [name for name in inside if name.split('.')[0] not in OPTIONAL and (short(path), name) not in LAZY]
    assert not stray, f'{short(path)} imports {stray} inside a function: a cycle is dodged, or it belongs on top'


@pytest.mark.parametrize('path', BINSSL, ids=short)
def test_optional_libraries_are_imported_inside_functions(path: Path) -> None:
    tops = [node for node in parse(path).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    stray = [name for node in tops for name in imported(node) if name.split('.')[0] in OPTIONAL]
    assert not stray, f'{short(path)} cannot be imported where {stray} is missing'


def test_a_missing_library_names_its_extra() -> None:
    setup = parse(ROOT / 'setup.py')
    lists = {
        name.id: node.value
        for node in setup.body
        if isinstance(node, ast.Assign)
        for name in node.targets
        if isinstance(name, ast.Name)
    }
    for path in BINSSL:
        for attempt in ast.walk(parse(path)):
            libraries = {name.split('.')[0] for name in imported(attempt)} & OPTIONAL
            if isinstance(attempt, ast.Try) and libraries:
                remedy = ' '.join(ast.unparse(handler) for handler in attempt.handlers)
                extra = remedy.partition('binssl[')[2].partition(']')[0]
                assert extra in lists, f'{short(path)}: {libraries} missing, and the error names no extra of setup.py'
                package_name = 'scikit-learn' if libraries <= {'sklearn', 'joblib'} else libraries.pop()
                assert package_name in ast.unparse(lists[extra])


@pytest.mark.parametrize('path', BINSSL, ids=short)
def test_optional_imports_are_tried(path: Path) -> None:
    tried = [inner for node in ast.walk(parse(path)) if isinstance(node, ast.Try) for inner in node.body]
    names = {name for node in tried for name in imported(node)}
    bare = {name for name in imported(parse(path)) if name.split('.')[0] in OPTIONAL} - names
    assert not bare, f'{short(path)}: {bare} may be missing; try, and name the extra in the error'


def test_no_file_is_named_for_nothing() -> None:
    nameless = {'utils', 'util', 'common', 'misc', 'helpers', 'helper'}
    files = [*BINSSL, *SCRIPTS, *CONFIGS, *TESTS]
    assert not [short(path) for path in files if nameless & set(path.relative_to(ROOT).with_suffix('').parts)]


@pytest.mark.parametrize('path', [*BINSSL, *SCRIPTS, *CONFIGS], ids=short)
def test_what_is_public_is_described(path: Path) -> None:
    lacking = [node.name for node in public_definitions(path) if not ast.get_docstring(node)]
    if not ast.get_docstring(parse(path)):
        lacking.append('the module')
    assert not lacking, f'{short(path)}: no docstring for {lacking}'


@pytest.mark.parametrize('path', [*BINSSL, *SCRIPTS], ids=short)
def test_every_signature_is_typed(path: Path) -> None:
    untyped = []
    for function in functions(parse(path)):
        spec = function.args
        arguments = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *filter(None, (spec.vararg, spec.kwarg))]
        bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ('self', 'cls', 'ctx')]
        if bare or function.returns is None:
            untyped.append(f'{function.name}({", ".join(bare)}), line {function.lineno}')
    assert not untyped, f'{short(path)}: {untyped}'


@pytest.mark.parametrize('path', BINSSL, ids=short)
def test_no_constructor_swallows_keys(path: Path) -> None:
    swallowing = [f'line {f.lineno}' for f in functions(parse(path)) if f.name == '__init__' and f.args.kwarg]
    assert not swallowing, f'{short(path)}: a constructor with **kwargs hides stray config keys ({swallowing})'


@pytest.mark.parametrize('path', [*BINSSL, *SCRIPTS], ids=short)
def test_loading_is_strict_and_safe(path: Path) -> None:
    tree = parse(path)
    loose = [call.lineno for call in calls(tree, 'load_state_dict') if keyword(call, 'strict') is False]
    assert not loose, f'{short(path)}: strict=False without the list of keys that may be missing, lines {loose}'
    torch_loads = [call for call in calls(tree, 'load') if ast.unparse(call.func) == 'torch.load']
    unsafe = [call.lineno for call in torch_loads if keyword(call, 'weights_only') is not True]
    assert not unsafe, f'{short(path)}: torch.load without weights_only=True, lines {unsafe}'
    every_call = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = [call.lineno for call in every_call if keyword(call, 'weights_only') is False]
    assert not given, f'{short(path)}: weights_only=False, lines {given}'


@pytest.mark.parametrize('path', BINSSL, ids=short)
def test_the_device_is_the_runners_affair(path: Path) -> None:
    lines = [call.lineno for call in calls(parse(path), 'cuda') if isinstance(call.func, ast.Attribute)]
    assert not lines, f'{short(path)}: .cuda() in lines {lines}; tensors follow their inputs'


@pytest.mark.parametrize('path', [p for p in BINSSL if package(p) in ON_DEVICE], ids=short)
def test_forward_waits_for_no_device(path: Path) -> None:
    waiting = []
    for function in functions(parse(path)):
        if function.name in ('forward', 'backward', 'loss', 'extract', 'update'):
            for name in ('item', 'cpu', 'tolist', 'numpy'):
                waiting += [f'.{name}() in line {call.lineno}' for call in calls(function, name)]
    assert not waiting, f'{short(path)}: {waiting}'


@pytest.mark.parametrize('path', CONFIGS, ids=short)
def test_a_config_is_data_only(path: Path) -> None:
    allowed = (ast.Assign, ast.Expr)
    stray = [f'line {node.lineno}: {type(node).__name__}' for node in parse(path).body if not isinstance(node, allowed)]
    called = {ast.unparse(call.func) for call in ast.walk(parse(path)) if isinstance(call, ast.Call)} - {'dict'}
    assert not stray, f'{short(path)}: {stray}'
    assert not called, f'{short(path)}: a config calls nothing but dict, this one {sorted(called)}'


@pytest.mark.parametrize('path', sorted(ROOT.glob('tools/*.py')), ids=short)
def test_a_tool_parses_builds_and_runs(path: Path) -> None:
    lines = len(path.read_text(encoding='utf-8').splitlines())
    assert lines < 60, f'{short(path)} has {lines} lines; what it does belongs into binssl, where it can be tested'
