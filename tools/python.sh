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

# launch N SCRIPT [args]: becomes SCRIPT in N processes on this node, which end with it, after one check of all that can
# be wrong. Reads PORT, NNODES, NODE_RANK, MASTER_ADDR. --checked: without the check.
launch() {
    exec "$PYTHON" -m binssl.core.node "$@"
}

# The same for a stage of a script that goes on afterwards; it ends with the script.
launch_stage() {
    "$PYTHON" -m binssl.core.node --stage "$@"
}
