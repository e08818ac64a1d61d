"""Test a checkpoint or weights file: python tools/test.py CONFIG CHECKPOINT"""

from binssl.core.command_line import run_command
from binssl.engine.testing import parse_testing, test

if __name__ == '__main__':
    run_command(lambda: test(parse_testing()))
