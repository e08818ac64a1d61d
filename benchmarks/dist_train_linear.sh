#!/usr/bin/env bash
# Linear evaluation: bash benchmarks/dist_train_linear.sh CONFIG WEIGHTS [args of tools/train.py]
# A linear classifier on the frozen trunk in WEIGHTS. GPUS: how many processes; default: one per GPU, or 1.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "error: usage: bash benchmarks/dist_train_linear.sh CONFIG WEIGHTS [args]" >&2
    exit 2
fi
tools=$(cd "$(dirname "$0")/../tools" && pwd)
. "$tools/python.sh"
config=$1 weights=$2
shift 2
gpus=${GPUS:-$("$PYTHON" -c 'import torch; print(max(1, torch.cuda.device_count()))')}
exec bash "$tools/dist_train.sh" "$config" "$gpus" --pretrained "$weights" "$@"
