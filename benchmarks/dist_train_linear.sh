#!/usr/bin/env bash
# Linear evaluation: bash benchmarks/dist_train_linear.sh CONFIG WEIGHTS [--cache-features DIR] [args of tools/train.py]
# A linear classifier on the frozen trunk in WEIGHTS. GPUS: how many processes; default: one per GPU, or 1.
# --cache-features DIR: the trunk runs over each image once, without augmentation (training images get the views of the
# validation), and its features are kept in DIR by the hashes of weights and data; the classifier learns from them.
set -euo pipefail
usage() {
    echo "error: usage: bash benchmarks/dist_train_linear.sh CONFIG WEIGHTS [--cache-features DIR] [args]" >&2
    exit 2
}
[ $# -ge 2 ] || usage
tools=$(cd "$(dirname "$0")/../tools" && pwd)
. "$tools/python.sh"
config=$1
args=(--pretrained "$2")
shift 2
cache=
while [ $# -gt 0 ]; do
    case $1 in
    --cache-features) [ $# -ge 2 ] || usage; cache=$2; shift ;;
    --cache-features=*) cache=${1#*=} ;;
    *) args+=("$1") ;;
    esac
    shift
done
gpus=$(gpus_here)
if [ -n "$cache" ]; then
    caching=("$tools/cache_features.py" "$config" "${args[@]}" --cache-features "$cache")
    found=$(mktemp)
    trap 'rm -f "$found"' EXIT
    launch_stage "$gpus" "${caching[@]}" --arguments "$found"
    mapfile -t reading <"$found"
    rm -f "$found"
    launch --checked "$gpus" "$tools/train.py" "$config" "${args[@]}" "${reading[@]}" # by the first stage
fi
exec bash "$tools/dist_train.sh" "$config" "$gpus" "${args[@]}"
