# Sourced: PYTHON is the interpreter of the scripts: the one given, an active environment's, the project's .venv, python3.
_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -z "${PYTHON:-}" ]; then
    if [ -z "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ] && [ -x "$_root/.venv/bin/python" ]; then
        PYTHON=$_root/.venv/bin/python
    else
        PYTHON=$(command -v python3 || command -v python)
    fi
fi

# How many processes: GPUS where it is given, else one per GPU, or 1.
gpus_here() {
    if [ -n "${GPUS:-}" ]; then
        echo "$GPUS"
    else
        "$PYTHON" -c 'import torch; print(max(1, torch.cuda.device_count()))'
    fi
}

# launch N SCRIPT [args]: SCRIPT in N processes on this node, through torchrun.
# Reads PORT, NNODES, NODE_RANK, MASTER_ADDR.
launch() {
    local processes=$1 script=$2
    shift 2
    if [ "${NNODES:-1}" -gt 1 ] && [ -z "${MASTER_ADDR:-}" ]; then
        echo "error: NNODES is $NNODES: set MASTER_ADDR to the address of node 0 (and NODE_RANK, and the same PORT on all)" >&2
        return 1
    fi
    local meet=(--standalone)
    if [ "${NNODES:-1}" -gt 1 ] || [ -n "${PORT:-}" ]; then
        meet=(--nnodes "${NNODES:-1}" --node_rank "${NODE_RANK:-0}" --master_addr "${MASTER_ADDR:-127.0.0.1}"
            --master_port "${PORT:-29500}")
    fi
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # as torchrun would set it, with five lines about it
    "$PYTHON" -m binssl.engine.torchrun "${meet[@]}" --nproc_per_node "$processes" "$script" "$@" --launcher pytorch
}
