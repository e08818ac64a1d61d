"""Linear SVMs on frozen features: python tools/test_svm.py configs/benchmarks/svm/voc07.py WEIGHTS --layers feat4 feat5

Writes a table of what all training images come to, and a few of each class; goes on where it was interrupted.
"""

from binssl.core.command_line import run_command
from binssl.features.svm import parse_svm, test_svm

if __name__ == '__main__':
    run_command(lambda: test_svm(parse_svm()), how_to_go_on='the same command goes on from the last result')
