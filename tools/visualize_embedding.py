"""Draw a split's features by class, or with neighbours: python tools/visualize_embedding.py CONFIG WEIGHTS --out PNG"""

from binssl.core.command_line import run_command
from binssl.features.pictures import parse_visualisation, visualise

if __name__ == '__main__':
    run_command(lambda: visualise(parse_visualisation()))
