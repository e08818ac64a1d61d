#!/usr/bin/env bash
# Features of a split: bash benchmarks/dist_extract_features.sh CONFIG WEIGHTS --layers neck --out FILE.npz [args]
# GPUS: how many processes; default: one per GPU, or 1. Arguments: those of tools/extract_features.py.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "error: usage: bash benchmarks/dist_extract_features.sh CONFIG WEIGHTS --out FILE.npz [args]" >&2
    exit 2
fi
tools=$(cd "$(dirname "$0")/../tools" && pwd)
. "$tools/python.sh"
gpus=$(gpus_here)
launch "$gpus" "$tools/extract_features.py" "$@"
