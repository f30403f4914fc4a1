#!/bin/sh
# Makes .venv as the lock files say, with uv; fetches uv itself where it is missing.
# Done in no time when nothing changed: .venv/.lock keeps the checksum of what was installed.
set -eu

die() { echo "visnyk: $*" >&2; exit 1; }

cd "$(dirname "$0")/../.."
wanted=$(cksum <requirements-dev.lock)
if [ -x .venv/bin/python ] && [ "$(cat .venv/.lock 2>/dev/null)" = "$wanted" ]; then exit 0; fi

python=${PYTHON:-python3}
command -v "$python" >/dev/null || die "no $python: install Python 3.11 or newer, or name it with PYTHON="
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$($python --version) is too old: install Python 3.11 or newer, and name it with PYTHON="

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    if [ ! -x .local/uv/bin/uv ]; then
        echo "visnyk: installing uv into .local/uv"
        "$python" -m venv .local/uv >/dev/null 2>&1 && .local/uv/bin/pip install -q 'uv>=0.5' >/dev/null 2>&1 || {
            rm -rf .local/uv
            die "uv can't be installed by $python -m venv and pip: install uv, or the package python3-venv"
        }
    fi
    uv=.local/uv/bin/uv
fi

echo "visnyk: installing the locked packages into .venv"
[ -x .venv/bin/python ] || "$uv" venv -q --no-python-downloads --python "$python" .venv
"$uv" pip sync -q --python .venv/bin/python --require-hashes requirements-dev.lock ||
    die "the locked packages can't be installed: is the package index reachable?"
echo "$wanted" >.venv/.lock
