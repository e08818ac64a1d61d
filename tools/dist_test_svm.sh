#!/usr/bin/env bash
# Linear SVMs on features that N processes extract: bash tools/dist_test_svm.sh CONFIG WEIGHTS GPUS [args of tools/test_svm.py]
# WEIGHTS may be --epoch=N. The SVMs themselves are fitted by one process with parallel jobs (--jobs).
set -euo pipefail
if [ $# -lt 3 ] || ! [[ $3 =~ ^[1-9][0-9]*$ ]]; then
    echo "error: usage: bash tools/dist_test_svm.sh CONFIG WEIGHTS GPUS [args]; GPUS is a number" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
. "$here/python.sh"
first=$1 second=$2 gpus=$3
shift 3
launch "$gpus" "$here/test_svm.py" "$first" "$second" "$@"
