"""Write what the next stage starts from (backbone, neck, student head, target head) to a weights file.

python tools/extract_weights_for_multi.py work_dirs/selfsup/burn/stage1/latest.pth stage1.pth
python tools/train.py configs/selfsup/burn/stage2.py --cfg-options load_from=stage1.pth
"""

from binssl.checkpoints import MULTI_STAGE
from binssl.core.command_line import run_command
from binssl.engine.weights import extract

if __name__ == '__main__':
    run_command(lambda: extract(__doc__, MULTI_STAGE))
