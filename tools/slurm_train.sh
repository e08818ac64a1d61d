#!/usr/bin/env bash
# Train on a cluster: bash tools/slurm_train.sh PARTITION JOB CONFIG [args of tools/train.py]
# Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (8), SRUN_ARGS.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "error: usage: bash tools/slurm_train.sh PARTITION JOB CONFIG [args]" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
. "$here/python.sh"
partition=$1 job=$2 config=$3
shift 3
for name in GPUS GPUS_PER_NODE CPUS_PER_TASK; do
    if [ -n "${!name:-}" ] && ! [[ ${!name} =~ ^[1-9][0-9]*$ ]]; then
        echo "error: the environment variable $name is '${!name}'; it must be a whole number of at least 1" >&2
        exit 2
    fi
done
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
[ "$gpus" -lt "$per_node" ] && per_node=$gpus
"$PYTHON" "$here/train.py" "$config" "$@" --check-cluster "$gpus"
# shellcheck disable=SC2086  # SRUN_ARGS is a list of words
exec srun --partition="$partition" --job-name="$job" --gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "$PYTHON" -u "$here/train.py" "$config" --launcher slurm "$@"
