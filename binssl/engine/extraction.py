"""The command lines that take a network out of a training checkpoint; they differ in what they take."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from binssl.checkpoints import extract_weights


def extract(description: str | None, parts: Sequence[str]) -> None:
    """Parse the command line, write ``parts`` of a checkpoint as a weights file, print the table."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='a training checkpoint or a weights file')
    parser.add_argument('out', help='the weights file to write; its folder is made')
    parser.add_argument('--force', action='store_true', help='overwrite an existing file')
    args = parser.parse_args()
    print(extract_weights(args.checkpoint, args.out, parts, args.force))
