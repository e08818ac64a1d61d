"""Compute the features that a linear evaluation reads, once: a step of benchmarks/dist_train_linear.sh.

python tools/cache_features.py CONFIG --pretrained WEIGHTS --cache-features DIR [args of tools/train.py]
"""

from binssl.core.command_line import run_command
from binssl.features.cached_linear import cache_features, parse_caching

if __name__ == '__main__':
    run_command(lambda: cache_features(parse_caching()), how_to_go_on='the same command begins again')
