#!/usr/bin/env bash
# Linear SVMs on features: bash benchmarks/dist_test_svm_pretrain.sh CONFIG WEIGHTS [FEAT_LIST] [GPUS] [args of tools/test_svm.py]
# CONFIG: one of configs/benchmarks/svm, or, as in OpenSelfSup, one that trained the network: then --protocol says which
# of those (default: voc07.py), and WEIGHTS may be "random". FEAT_LIST: layers, "feat4 feat5" (default: "feat5").
# GPUS: how many processes extract; default: one per GPU, or 1.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo 'error: usage: bash benchmarks/dist_test_svm_pretrain.sh CONFIG WEIGHTS ["feat4 feat5"] [GPUS] [args]' >&2
    exit 2
fi
tools=$(cd "$(dirname "$0")/../tools" && pwd)
. "$tools/python.sh"
config=$1 weights=$2 layers=feat5 gpus=
shift 2
if [ $# -gt 0 ] && [[ $1 != -* ]]; then layers=$1; shift; fi
if [ $# -gt 0 ] && [[ $1 != -* ]]; then gpus=$1; shift; fi
gpus=${gpus:-$(gpus_here)}
exec bash "$tools/dist_test_svm.sh" "$config" "$weights" "$gpus" --layers "$layers" "$@"
