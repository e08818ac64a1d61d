"""Check every image of a config's data: can it be read, its mode, size and label. Ends with a list of bad ones.

    python tools/analyze_data.py configs/supervised/reactnet/reactnet_a_step2.py --out analysis

The exit code is 1 where there are bad ones.
"""

from __future__ import annotations

import argparse

from binssl.core.command_line import run_command
from binssl.data_tools.browse import SPLITS
from binssl.data_tools.read_all import analyze
from binssl.engine.config import parse_options


def main() -> None:
    """Parse, check, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config with data')
    parser.add_argument('--split', nargs='+', choices=SPLITS, help="default: all of the config's, equal ones once")
    parser.add_argument('--workers', type=int, metavar='N', help='processes; 0: none but this; default: one a core')
    parser.add_argument('--min-side', type=int, default=1, metavar='PX', help='a picture with a shorter side is bad')
    parser.add_argument('--out', metavar='DIR', help='write analysis.json and bad_files.txt (FILE, tab, PROBLEM) there')
    parser.add_argument('--force', action='store_true', help='overwrite these files')
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[], metavar='key=value')
    args = parser.parse_args()
    options = parse_options(args.cfg_options)
    analyses = analyze(args.config, args.split, args.workers, args.min_side, args.out, options, args.force)
    print('\n'.join(map(str, analyses)))
    if any(analysis.bad for analysis in analyses):
        raise SystemExit(1)


if __name__ == '__main__':
    run_command(main)
