"""Write features of a split's images: python tools/extract_features.py CONFIG WEIGHTS --layers feat5 --out F.npz"""

from binssl.downstream.extraction import extract_to_file, parse_extraction
from binssl.engine.commands import run_command

if __name__ == '__main__':
    run_command(lambda: extract_to_file(parse_extraction()))
