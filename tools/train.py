"""Train what a config describes: python tools/train.py configs/selfsup/burn/stage1_digits.py"""

from binssl.core.command_line import run_command
from binssl.engine.training import parse_training, train

if __name__ == '__main__':
    run_command(
        lambda: train(parse_training()),
        how_to_go_on='the same command with --resume auto goes on from the last checkpoint, '
        'or starts again if there is none yet',
    )
