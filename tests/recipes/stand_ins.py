"""Stand-ins for the command line tools, which start at once: a runner of recipes only sees processes and files."""

from __future__ import annotations

from pathlib import Path

_TRAIN = """
import ast, json, os, pathlib, runpy, sys, time
config, arguments = sys.argv[1], sys.argv[2:]
folder = pathlib.Path(arguments[arguments.index('--work-dir') + 1])
options = dict(item.split('=', 1) for item in arguments[arguments.index('auto') + 1:][1:])
with (folder.parent / 'order.txt').open('a') as order:
    order.write(folder.name + ' begins\\n')
settings = runpy.run_path(config)
print('epoch 1/2  iter 1/2  loss 1.0', flush=True)
first_part = folder / 'first_part'
if not first_part.exists():
    first_part.write_text(str(os.getpid()))
    time.sleep(settings['_seconds'])
if settings.get('_fails'):
    sys.exit('error: as the config says')
inputs = [pathlib.Path(ast.literal_eval(path)).read_text() for path in options.values()]
(folder / 'latest.pth').write_text(config.rsplit('/')[-1] + str(settings['model']) + ''.join(inputs))
with (folder.parent / 'order.txt').open('a') as order:
    order.write(folder.name + ' ends\\n')
"""
_EXTRACT = """
import shutil, sys
shutil.copy(sys.argv[1], sys.argv[2])
"""
_TEST = """
import json, pathlib, sys
length = len(pathlib.Path(sys.argv[2]).read_text())
metrics = dict(linear_top1=float(length), knn_top1=2.0, few_shot_top1=3.0)
print('12:00:00 test: linear_top1', length)
folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
(folder / 'results.json').write_text(json.dumps(dict(metrics=metrics)))
"""


def write_tools(folder: Path) -> Path:
    """Scripts that take the arguments of ours and hand texts on in place of weights."""
    folder.mkdir()
    for name, text in (
        ('train', _TRAIN),
        ('extract_weights', _EXTRACT),
        ('extract_weights_for_multi', _EXTRACT),
        ('test', _TEST),
    ):
        (folder / f'{name}.py').write_text(text)
    return folder


def write_recipe(folder: Path, seconds: float = 0.0, **configs: str) -> Path:
    """A recipe of teacher -> student and, beside them, alone; ``configs`` adds lines to the config of a step."""
    for name in ('teacher', 'student', 'alone', 'tests'):
        lines = ["model = dict(type='Encoder')", f'_seconds = {seconds}', configs.get(name, '')]
        (folder / f'{name}.py').write_text('\n'.join(lines))
    path = folder / 'recipe.py'
    path.write_text(f"""
steps = [
    dict(name='teacher', config='{folder}/teacher.py'),
    dict(name='student', config='{folder}/student.py', weights='multi',
         inputs={{'model.teacher.checkpoint': 'teacher'}}),
    dict(name='alone', config='{folder}/alone.py', optional=True),
]
test = '{folder}/tests.py'
rows = {{'the student': 'student', 'alone': 'alone'}}
""")
    return path
