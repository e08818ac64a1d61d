"""Write features of a split's images: python tools/extract_features.py CONFIG WEIGHTS --layers feat5 --out F.npz"""

from binssl.core.command_line import run_command
from binssl.features.extract import extract_to_file, parse_extraction

if __name__ == '__main__':
    run_command(lambda: extract_to_file(parse_extraction()))
