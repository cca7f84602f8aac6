#!/bin/sh
# Make the virtual environment: environment.sh FOLDER [EXTRA]
set -eu
folder=$1
extra=${2:-}

say() { printf '%s\n' "$*" >&2; }

is_recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if is_recent "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "Parvis needs Python 3.11 or newer, found as python3 (or set PYTHON=/path/to/python)."
    exit 1
}

can_make_environments() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

install_venv_module() {
    can_make_environments "$1" && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing python3-venv, which Debian keeps apart from Python."
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv; } </dev/null >&2
        can_make_environments "$1" && return
    fi
    say "This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt install python3-venv"
    say "On Fedora or Alpine the module comes with python3. Then run make again."
    exit 1
}

if [ ! -x "$folder/bin/pip" ] || ! is_recent "$folder/bin/python"; then
    python=$(find_python)
    install_venv_module "$python"
    "$python" -m venv --clear "$folder"
fi
say "Installing Parvis into $folder; the first time this takes a minute or two."
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --prefer-binary \
    --constraint build/constraints.txt --editable ".${extra:+[$extra]}"
