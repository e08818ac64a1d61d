"""Write the trunk of a trained model (backbone and neck) to a weights file, for evaluation and deployment.

python tools/extract_weights.py work_dirs/selfsup/burn/stage2/latest.pth weights.pth
"""

from binssl.checkpoints import TRUNK
from binssl.core.command_line import run_command
from binssl.engine.weights import extract

if __name__ == '__main__':
    run_command(lambda: extract(__doc__, TRUNK))
