"""Draw a split's features by class, or with neighbours: python tools/visualize_embedding.py CONFIG WEIGHTS --out PNG"""

from binssl.downstream.visualisation import parse_visualisation, visualise
from binssl.engine.commands import run_command

if __name__ == '__main__':
    run_command(lambda: visualise(parse_visualisation()))
