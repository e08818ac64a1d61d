"""The floors of the design and the rules of the style, read from the source of every file: one test a rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from binssl.registry import LIBRARIES

ROOT = Path(__file__).parents[1]
#: which of our packages each package may import, besides its own modules
FLOORS: dict[str, set[str]] = {
    'registry': set(),
    'core': {'registry'},
    'binary': {'registry', 'core'},
    'views': {'registry', 'core'},
    'backbones': {'registry', 'core', 'binary'},
    'necks': {'registry', 'core'},
    'heads': {'registry', 'core'},
    'datasets': {'registry', 'core', 'views'},
    'hooks': {'registry', 'core', 'binary'},
    'checkpoints': {'registry', 'core'},
    'evaluation': {'registry', 'core'},
    # parts reach an algorithm through the registries only; a frozen teacher reads its weights
    'algorithms': {'registry', 'core', 'views', 'checkpoints'},
    'engine': {'registry', 'core', 'datasets', 'checkpoints', 'hooks'},
    # what people do with data, and with trained networks; only the tools know these rooms
    'data_tools': {'registry', 'core', 'datasets', 'engine'},
    'features': {'registry', 'core', 'datasets', 'checkpoints', 'evaluation', 'engine', 'data_tools'},
    'recipes': {'registry', 'core', 'datasets', 'checkpoints', 'engine', 'features'},
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
    'scipy',
}
#: (file, module): imports inside a function that are not of an optional library
LAZY = {('binssl/__init__.py', 'binssl.checkpoints')}
#: packages whose module has another name
MODULES = {
    'mmcv-lite': 'mmcv',
    'nvidia-dali-cuda120': 'nvidia',
    'pillow': 'PIL',
    'scikit-learn': 'sklearn',
    'umap-learn': 'umap',
}
#: what binssl/ may come to
MOST_LINES, MOST_FILES = 22_600, 170
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


def optional(tree: ast.AST) -> set[str]:
    """The optional libraries that the code imports."""
    return {name.split('.')[0] for name in imported(tree)} & OPTIONAL


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


def literal_type(config: ast.AST) -> object:
    """The literal ``type`` of ``dict(type=...)`` or ``{'type': ...}``, None where there is none."""
    if isinstance(config, ast.Call):
        return keyword(config, 'type')
    if not isinstance(config, ast.Dict):
        return None
    given = {ast.unparse(key): value for key, value in zip(config.keys, config.values, strict=True) if key}
    return getattr(given.get("'type'"), 'value', None)


def asks(function: ast.AST) -> bool:
    """Whether a test asserts or expects an error or a warning by itself."""
    return any(
        isinstance(node, ast.Assert)
        or (
            isinstance(node, ast.Call)
            and getattr(node.func, 'attr', getattr(node.func, 'id', '')).startswith(('raises', 'warns', 'assert_'))
        )
        for node in ast.walk(function)
    )


def test_every_room_has_a_floor() -> None:
    assert {package(path) for path in BINSSL} == set(FLOORS)


def test_no_floor_allows_a_circle() -> None:
    below: set[str] = set()
    waiting = dict(FLOORS)
    while ready := [room for room, allowed in waiting.items() if allowed <= below]:
        below |= {*ready}
        waiting = {room: allowed for room, allowed in waiting.items() if room not in ready}
    assert not waiting, f'these rooms allow each other: {sorted(waiting)}'


def test_imports_go_down_only() -> None:
    up = {}
    for path in BINSSL:
        ours = {name.split('.')[1] for name in imported(parse(path)) if name.startswith('binssl.')}
        if stray := ours - FLOORS[package(path)] - {package(path)}:
            up[short(path)] = sorted(stray)
    assert not up, f'not below their floors (FLOORS): {up}'


def test_floors_allow_nothing_that_no_room_needs() -> None:
    unused = {name: set(allowed) for name, allowed in FLOORS.items()}
    for path in BINSSL:
        unused[package(path)] -= {name.split('.')[1] for name in imported(parse(path)) if name.startswith('binssl.')}
    assert not {name: rooms for name, rooms in unused.items() if rooms}


def test_modules_do_not_import_each_other_in_circles() -> None:
    modules = {
        '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): path for path in BINSSL
    }
    arrows = {
        name: {other for other in imported(parse(path)) if other in modules and modules[other].stem != '__init__'}
        for name, path in modules.items()
    }
    while leaves := {name for name, others in arrows.items() if not others & set(arrows) - {name}}:
        arrows = {name: others for name, others in arrows.items() if name not in leaves}
    assert not arrows, f'in circles, or above one: {sorted(arrows)}'


def test_nobody_imports_scripts_tests_or_by_relative_names() -> None:
    stray = {
        (short(path), name)
        for path in [*BINSSL, *SCRIPTS]
        for name in imported(parse(path))
        if name.split('.')[0] in ('', 'tools', 'benchmarks', 'tests')
    }
    assert not stray


def test_imports_inside_functions_are_of_optional_libraries() -> None:
    inside = {
        (short(path), name)
        for path in [*BINSSL, *SCRIPTS]
        for function in functions(parse(path))
        for name in imported(function)
        if name.split('.')[0] not in OPTIONAL
    }
    assert inside <= LAZY, f'a cycle is dodged, or it belongs on top: {inside - LAZY}'


def test_optional_libraries_are_imported_inside_functions_that_name_their_extra() -> None:
    lists = {
        name.id: ast.unparse(node.value)
        for node in parse(ROOT / 'setup.py').body
        if isinstance(node, ast.Assign)
        for name in node.targets
        if isinstance(name, ast.Name)
    }
    for path in BINSSL:
        on_top = {
            name
            for node in parse(path).body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name in imported(node)
        }
        every, tried = optional(parse(path)), set()
        for attempt in ast.walk(parse(path)):
            libraries = (
                {library for node in attempt.body for library in optional(node)}
                if isinstance(attempt, ast.Try)
                else set()
            )
            if libraries:
                tried |= libraries
                remedy = ' '.join(ast.unparse(handler) for handler in attempt.handlers)
                extra = remedy.partition('binssl[')[2].partition(']')[0]
                assert extra in lists, f'{short(path)}: {libraries} missing, and the error names no extra of setup.py'
                assert 'raise ConfigError(' in remedy, f'{short(path)}: {libraries} missing should be a sentence'
                package_name = 'scikit-learn' if libraries <= {'sklearn', 'joblib', 'scipy'} else libraries.pop()
                assert package_name in lists[extra]
        assert every == tried, f'{short(path)}: {every - tried} may be missing; try, and name the extra in the error'
        assert not {name.split('.')[0] for name in on_top} & OPTIONAL, f'{short(path)} cannot be imported everywhere'


def test_an_error_within_a_library_of_setup_py_counts_as_the_librarys() -> None:
    lists = [node for node in ast.walk(parse(ROOT / 'setup.py')) if isinstance(node, ast.List)]
    texts = {item.value for node in lists for item in node.elts if isinstance(item, ast.Constant)}
    packages = {re.split('[=><; ]', text)[0] for text in texts if not text.startswith('binssl')}
    modules = {MODULES.get(name, name) for name in packages} - {'pytest', 'pytest-xdist', 'ruff', 'mypy'}
    assert {'torch', 'sklearn', 'nvidia'} <= modules
    assert modules | OPTIONAL <= LIBRARIES


def test_no_file_is_named_for_nothing() -> None:
    nameless = {'utils', 'util', 'common', 'misc', 'helpers', 'helper'}
    files = [*BINSSL, *SCRIPTS, *CONFIGS, *TESTS]
    assert not [short(path) for path in files if nameless & set(path.relative_to(ROOT).with_suffix('').parts)]


def test_the_house_stays_small() -> None:
    lines = sum(len(path.read_text(encoding='utf-8').splitlines()) for path in BINSSL)
    assert lines <= MOST_LINES, f'{lines} lines'
    assert len(BINSSL) <= MOST_FILES, f'{len(BINSSL)} files'


def test_what_is_public_is_described() -> None:
    lacking = [
        f'{short(path)}: {name}'
        for path in [*BINSSL, *SCRIPTS, *CONFIGS]
        for name, node in [('the module', parse(path)), *((node.name, node) for node in public_definitions(path))]
        if not ast.get_docstring(node)
    ]
    assert not lacking, f'no docstring: {lacking}'


def test_every_signature_is_typed() -> None:
    untyped = []
    for path in [*BINSSL, *SCRIPTS]:
        for function in functions(parse(path)):
            spec = function.args
            arguments = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *filter(None, (spec.vararg, spec.kwarg))]
            bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ('self', 'cls', 'ctx')]
            if bare or function.returns is None:
                untyped.append(f'{short(path)}, line {function.lineno}: {function.name}({", ".join(bare)})')
    assert not untyped


def test_registries_are_asked_for_what_a_config_names_alone() -> None:
    stray = []
    for path in BINSSL:
        sources = [node for node in ast.walk(parse(path)) if isinstance(node, ast.ImportFrom)]
        registries = {
            name.asname or name.name for node in sources if node.module == 'binssl.registry' for name in node.names
        }
        for call in calls(parse(path), 'get'):
            owner = getattr(getattr(call.func, 'value', None), 'id', None)
            if owner in registries and call.args and isinstance(call.args[0], ast.Constant):
                stray.append(f'{short(path)}, line {call.lineno}: {ast.unparse(call)}')
        for call in calls(parse(path), 'build'):
            if call.args and isinstance(literal_type(call.args[0]), str):
                stray.append(f'{short(path)}, line {call.lineno}: {ast.unparse(call)}')
    assert not stray, f'{stray}: import it, and mypy and the floors see it too'


def test_registered_functions_are_those_that_a_config_names() -> None:
    registered = {
        function.name
        for path in BINSSL
        for function in functions(parse(path))
        if any('FUNCTIONS.register_module' in ast.unparse(decorator) for decorator in function.decorator_list)
    }
    text = ''.join(path.read_text(encoding='utf-8') for path in CONFIGS)
    assert registered
    assert not [name for name in registered if f"'{name}'" not in text]


def test_no_constructor_swallows_keys() -> None:
    swallowing = [
        f'{short(path)}, line {function.lineno}'
        for path in BINSSL
        for function in functions(parse(path))
        if function.name == '__init__' and function.args.kwarg
    ]
    assert not swallowing, f'a constructor with **kwargs hides stray config keys: {swallowing}'


def test_loading_is_strict_and_safe() -> None:
    for path in [*BINSSL, *SCRIPTS]:
        tree = parse(path)
        loose = [call.lineno for call in calls(tree, 'load_state_dict') if keyword(call, 'strict') is False]
        assert not loose, f'{short(path)}: strict=False without the list of keys that may be missing, lines {loose}'
        torch_loads = [call for call in calls(tree, 'load') if ast.unparse(call.func) == 'torch.load']
        unsafe = [call.lineno for call in torch_loads if keyword(call, 'weights_only') is not True]
        assert not unsafe, f'{short(path)}: torch.load without weights_only=True, lines {unsafe}'
        every_call = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        given = [call.lineno for call in every_call if keyword(call, 'weights_only') is False]
        assert not given, f'{short(path)}: weights_only=False, lines {given}'


def test_the_device_is_the_runners_affair() -> None:
    lines = [
        f'{short(path)}, line {call.lineno}'
        for path in BINSSL
        for call in calls(parse(path), 'cuda')
        if isinstance(call.func, ast.Attribute)
    ]
    assert not lines, f'.cuda(), where tensors follow their inputs: {lines}'


def test_forward_waits_for_no_device() -> None:
    waiting = [
        f'{short(path)}, line {call.lineno}: .{name}()'
        for path in BINSSL
        if package(path) in ON_DEVICE
        for function in functions(parse(path))
        if function.name in ('forward', 'backward', 'loss', 'extract', 'update')
        for name in ('item', 'cpu', 'tolist', 'numpy')
        for call in calls(function, name)
    ]
    assert not waiting


def test_a_config_is_data_only() -> None:
    for path in CONFIGS:
        stray = [f'line {node.lineno}' for node in parse(path).body if not isinstance(node, (ast.Assign, ast.Expr))]
        called = {ast.unparse(call.func) for call in ast.walk(parse(path)) if isinstance(call, ast.Call)} - {'dict'}
        assert not stray, f'{short(path)}: {stray}'
        assert not called, f'{short(path)}: a config calls nothing but dict, this one {sorted(called)}'


def test_a_tool_parses_builds_and_runs() -> None:
    long = [short(path) for path in ROOT.glob('tools/*.py') if len(path.read_text().splitlines()) >= 60]
    assert not long, f'60 lines or more, which belong into binssl, where they can be tested: {long}'


def test_every_test_asserts_something() -> None:
    asking = {
        function.name
        for path in TESTS
        for function in functions(parse(path))
        if function.name.startswith(('check', 'compare')) and asks(function)
    }
    silent = []
    for path in TESTS:
        sources = [node for node in ast.walk(parse(path)) if isinstance(node, ast.ImportFrom)]
        ours = {word.name for node in sources if (node.module or '').startswith('binssl') for word in node.names}
        for function in functions(parse(path)):
            by_name = {node.func for node in ast.walk(function) if isinstance(node, ast.Call)}
            called = {name.id for name in by_name if isinstance(name, ast.Name)}
            if function.name.startswith('test_') and not asks(function) and not called & asking - ours:
                silent.append(f'{short(path)}: {function.name}')
    assert not silent
