# Sourced, from the project's folder: makes .venv where there is none, installs binssl in it when setup.py has
# changed, and sets PYTHON. EXTRAS: which of setup.py's extras to install (default: test, which holds them all).
_extras=${EXTRAS:-test}
_stamp=.venv/binssl-installed
PYTHON=$PWD/.venv/bin/python

if [ -L .venv ]; then
    echo 'error: .venv is a link: installing into it would point another checkout at this one; remove the link' >&2
    exit 1
fi
# .venv/unfinished is there while it is made: what an interruption left is made anew
if [ ! -x "$PYTHON" ] || [ -e .venv/unfinished ]; then
    _base=$(command -v python3 || command -v python) || { echo 'error: there is no python3 here; binssl needs 3.10 or later' >&2; exit 1; }
    "$_base" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        { echo "error: $("$_base" --version 2>&1) is too old; binssl needs Python 3.10 or later as python3" >&2; exit 1; }
    echo "making .venv with $("$_base" --version 2>&1)"
    rm -rf .venv
    mkdir .venv && touch .venv/unfinished
    "$_base" -m venv .venv || { echo 'error: python3 -m venv failed (on Debian: apt install python3-venv)' >&2; rm -rf .venv; exit 1; }
    rm .venv/unfinished
elif ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
    echo 'pip does not run in .venv: putting it there again'
    "$PYTHON" -m ensurepip --upgrade >/dev/null 2>&1 && "$PYTHON" -m pip --version >/dev/null 2>&1 ||
        { echo 'error: pip cannot be put into .venv; remove .venv, and it is made anew' >&2; exit 1; }
fi

_setup=$("$PYTHON" -c 'import hashlib; import os; print(hashlib.sha256(open("setup.py", "rb").read() + os.getcwd().encode()).hexdigest())')
if ! grep -qxE "$_setup (test|$_extras)" "$_stamp" 2>/dev/null; then
    echo "installing binssl[$_extras] into .venv (minutes, the first time; all of it in .venv/install.log)"
    set -o pipefail
    if ! "$PYTHON" -m pip install --disable-pip-version-check -e ".[$_extras]" 2>&1 | tee .venv/install.log |
        sed -un 's/^\(Collecting\|Downloading\|Installing collected\|Successfully\) \(.\{1,60\}\).*/  \1 \2/p'; then
        tail -n 20 .venv/install.log >&2
        echo 'error: the installation failed; the lines above are the last of .venv/install.log' >&2
        exit 1
    fi
fi

# mmengine pulls in OpenCV with its windows, which does not import on a machine without libGL; we need none of them
if ! "$PYTHON" -c 'import cv2' 2>/dev/null; then
    echo 'OpenCV does not import here (no libGL?): putting its headless build in place'
    # over the other one, which mmengine's metadata asks for: `pip check` stays content
    "$PYTHON" -m pip install --disable-pip-version-check --no-deps --force-reinstall opencv-python-headless >>.venv/install.log 2>&1
    "$PYTHON" -c 'import cv2' || { echo 'error: OpenCV cannot be imported; see .venv/install.log' >&2; exit 1; }
fi
echo "$_setup $_extras" >"$_stamp"
