"""Make configs/README.md, the index of all configs, anew from the heads of the files: python tools/list_configs.py"""

from pathlib import Path

from binssl.core.command_line import run_command
from binssl.engine.config_index import config_index


def main() -> None:
    """Write the file."""
    configs = Path(__file__).parents[1] / 'configs'
    (configs / 'README.md').write_text(config_index(configs))


if __name__ == '__main__':
    run_command(main)
