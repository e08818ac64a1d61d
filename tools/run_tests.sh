#!/usr/bin/env bash
# Everything that CI checks: bash tools/run_tests.sh [arguments of pytest]
# Makes .venv and installs what is missing; then ruff (rules and layout), mypy, and all tests, side by side on the cores that are there, and
# one more for those that wait (JOBS sets how many). Ends with pytest's own closing line; exit code 0 only where all three pass.
set -uo pipefail
cd "$(dirname "$0")/.."
EXTRAS=test
. tools/environment.sh

# one thread a process: results do not depend on the machine, and the workers do not fight for cores
export OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1
# what tests free is kept for the next ones: a tenth of the time goes into fetching memory anew
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=4000000000
failed=0
echo '== ruff'
"$PYTHON" -m ruff check . || failed=1
"$PYTHON" -m ruff format --check . || failed=1
echo '== mypy'
"$PYTHON" -m mypy || failed=1
echo '== pytest'
cores=$("$PYTHON" -c 'import os; print(len(os.sched_getaffinity(0)))')
# a file's tests stay in one process, where they share what its fixtures made; the order is tests/conftest.py's
"$PYTHON" -m pytest -q -n "${JOBS:-$((cores < 4 ? cores + 1 : 4))}" --dist loadfile --no-loadscope-reorder --durations=15 "$@" </dev/null || failed=1
exit "$failed"
