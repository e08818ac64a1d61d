#!/usr/bin/env bash
# k-NN accuracy: bash benchmarks/dist_test_knn.sh CONFIG WEIGHTS --num-knn 10 20 100 200 --temperature 0.07
# of the features of the trunk in WEIGHTS; more args as of tools/test_knn.py.
# GPUS: how many processes; default: one per GPU, or 1.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "error: usage: bash benchmarks/dist_test_knn.sh CONFIG WEIGHTS [--num-knn K ...] [--temperature T] [args]" >&2
    exit 2
fi
tools=$(cd "$(dirname "$0")/../tools" && pwd)
. "$tools/python.sh"
gpus=$(gpus_here)
launch "$gpus" "$tools/test_knn.py" "$@"
