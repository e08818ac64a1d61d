"""What the README shows is true."""

import re
from pathlib import Path

from binssl.engine.config import load_config
from binssl.engine.preflight_parts import check_parts

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()


def test_the_example_config_reads_and_changes_what_it_says(tmp_path: Path) -> None:
    (block,) = [text for text in re.findall(r'```python\n(.*?)```', README, re.DOTALL) if '_base_' in text]
    base = ROOT / 'configs/selfsup/burn/stage1_digits.py'
    config = tmp_path / 'my_digits.py'
    config.write_text(block.replace('./stage1_digits.py', str(base)))
    mine, original = load_config(config), load_config(base)
    assert check_parts(mine) == []
    assert mine.model.head.temperature == 0.1
    assert mine.schedules.kl_weight.end == 0.5
    assert mine.schedules.lr == original.schedules.lr


def test_every_path_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r'(?:configs|tools|benchmarks|docker|tests|docs)/[\w/.-]*\w', README))
    made = {'configs/selfsup/burn/my_digits.py'}
    assert [path for path in sorted(named - made) if not (ROOT / path).exists()] == []
