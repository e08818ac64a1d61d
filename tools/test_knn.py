"""k-NN accuracy of a network's features: python tools/test_knn.py CONFIG WEIGHTS --num-knn 10 20 --temperature 0.07"""

from binssl.core.command_line import run_command
from binssl.features.knn import parse_knn, test_knn

if __name__ == '__main__':
    run_command(lambda: test_knn(parse_knn()))
