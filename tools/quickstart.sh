#!/usr/bin/env bash
# BURN on handwritten digits, from nothing to a table and a picture:
#   bash tools/quickstart.sh [--until STEP] [--full] [--seeds N] [--work-dir DIR]
# Makes .venv and installs what is needed; interrupted and started again, it goes on where it was.
set -euo pipefail
cd "$(dirname "$0")/.."
for word in "$@"; do # before the minutes of an installation
    case $word in
    -h | --help | --until | --until=* | --full | --seeds | --seeds=* | --work-dir | --work-dir=* | [!-]*) ;;
    *) echo "error: $word is not known; bash tools/quickstart.sh [--until STEP] [--full] [--seeds N] [--work-dir DIR]" >&2; exit 2 ;;
    esac
done
EXTRAS=${EXTRAS:-digits,plots}
. tools/environment.sh
exec "$PYTHON" tools/run_recipe.py configs/recipes/burn_digits.py "$@"
