#!/usr/bin/env bash
# Semi-supervised evaluation: bash benchmarks/dist_train_semi.sh CONFIG WEIGHTS [args of tools/train.py]
# The whole network in WEIGHTS learns on from a few labels. GPUS: how many processes; default: one per GPU, or 1.
# --grid: all pairs of rates of trunk and head instead, one after the other, with a table at the end; runs that are done
# are kept. It takes the arguments of tools/train_grid.py (--lrs, --head-factors, --work-dir, --seed, --cfg-options).
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "error: usage: bash benchmarks/dist_train_semi.sh CONFIG WEIGHTS [--grid] [args]" >&2
    exit 2
fi
tools=$(cd "$(dirname "$0")/../tools" && pwd)
. "$tools/python.sh"
config=$1 weights=$2
shift 2
gpus=$(gpus_here)
args=() grid=
for arg in "$@"; do
    if [ "$arg" = --grid ]; then grid=1; else args+=("$arg"); fi
done
if [ -n "$grid" ]; then
    exec "$PYTHON" "$tools/train_grid.py" "$config" "$weights" --processes "$gpus" "${args[@]}"
fi
exec bash "$tools/dist_train.sh" "$config" "$gpus" --pretrained "$weights" "${args[@]}"
