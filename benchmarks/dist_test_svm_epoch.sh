#!/usr/bin/env bash
# The same of an epoch of a run: bash benchmarks/dist_test_svm_epoch.sh CONFIG EPOCH [FEAT_LIST] [GPUS] [args of tools/test_svm.py]
# CONFIG: the one that trained; its epoch_EPOCH.pth is taken. The rest as dist_test_svm_pretrain.sh.
set -euo pipefail
if [ $# -lt 2 ] || ! [[ $2 =~ ^[0-9]+$ ]]; then
    echo 'error: usage: bash benchmarks/dist_test_svm_epoch.sh CONFIG EPOCH ["feat4 feat5"] [GPUS] [args]; EPOCH is a number' >&2
    exit 2
fi
config=$1 epoch=$2
shift 2
exec bash "$(dirname "$0")/dist_test_svm_pretrain.sh" "$config" "--epoch=$epoch" "$@"
