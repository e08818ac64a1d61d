#!/usr/bin/env bash
# Train in N processes: bash tools/dist_train.sh CONFIG GPUS [args of tools/train.py]
# On a machine without GPUs, GPUS counts CPU processes. Several nodes: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if [ $# -lt 2 ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "error: usage: bash tools/dist_train.sh CONFIG GPUS [args]; GPUS is a number" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
. "$here/python.sh"
config=$1 gpus=$2
shift 2
launch "$gpus" "$here/train.py" "$config" "$@"
