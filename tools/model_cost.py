"""Print what the network of a config costs: FLOPs, BOPs, OPs, parameters and bytes, by layer and in total.

    python tools/model_cost.py configs/supervised/reactnet_imagenet.py

Of a label-free method backbone and neck are counted, of a classifier its head too. Data, weights and teachers are
not needed.
"""

from __future__ import annotations

import argparse
import json

from binssl.core.command_line import run_command
from binssl.engine.config import load_config
from binssl.evaluation import measure_config


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config with a model')
    parser.add_argument('--input', type=int, metavar='PIXELS', help="side of an image; default: the config's")
    parser.add_argument('--json', action='store_true', help='print plain data instead of the table')
    args = parser.parse_args()
    cfg = load_config(args.config)
    report = measure_config(cfg, args.input)
    print(json.dumps(report.as_data(), indent=1) if args.json else report)


if __name__ == '__main__':
    run_command(main)
