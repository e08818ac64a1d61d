#!/usr/bin/env bash
# Test in N processes: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [args of tools/test.py]
set -euo pipefail
if [ $# -lt 3 ] || ! [[ $3 =~ ^[1-9][0-9]*$ ]]; then
    echo "error: usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [args]; GPUS is a number" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
. "$here/python.sh"
first=$1 second=$2 gpus=$3
shift 3
launch "$gpus" "$here/test.py" "$first" "$second" "$@"
