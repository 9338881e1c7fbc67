#!/usr/bin/env bash
# Builds .venv from infra/locks/dev.lock and fetches Helm and kubectl. Called by make when a lock is
# newer than .venv/.installed.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'gatestream setup: %s\n' "$*" >&2; exit 1; }

exec 9<infra/locks && flock 9  # two calls at once take turns; the lock ends with this process
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX  # each would install somewhere else

python=${PYTHON:-$(command -v python3.11 || command -v python3)} || die "no python3: install Python 3.11 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || die "$python is $("$python" --version 2>&1), Gatestream needs 3.11 or newer: make setup PYTHON=/path/to/python3.11"

if ! "$python" -c 'import ensurepip' 2>/dev/null; then  # Debian keeps it in a package of its own
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null \
        || die "$python has no venv: run 'sudo apt-get install python3-venv', then make setup again"
    say "installing python3-venv"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
fi

if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    say "creating .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi

export VIRTUAL_ENV=$PWD/.venv
say "installing uv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/locks/uv.lock
say "installing the packages of infra/locks/dev.lock"
.venv/bin/python -m infra.local.pip_settings pip sync --require-hashes infra/locks/dev.lock
.venv/bin/python -m infra.local.pip_settings pip install --quiet --no-deps --no-build-isolation --offline --editable .
.venv/bin/python -m infra.local.tools helm
touch .venv/.installed
