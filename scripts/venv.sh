# Sourced by the other scripts: makes a virtual environment once and keeps it up to date.
# Works with bash 3.2 (macOS).

# python_new_enough: prints the newest Python >= 3.11 that is there.
python_new_enough() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "Python 3.11 or newer is needed, and none was found. Install it, or name one: PYTHON=/path/to/python $0" >&2
    return 1
}

# install_into FOLDER EXTRAS [CONSTRAINTS]
install_into() {
    local pip="$1/bin/python -m pip install --disable-pip-version-check"
    $pip ${3:+-c "$3"} -e ".[$2]" || return 1
    if [ -z "${3:-}" ]; then
        # Some package of the tests may hold it back; ours must run on the newest there is.
        $pip --upgrade pillow || return 1
    fi
}

# make_venv FOLDER EXTRAS [CONSTRAINTS]: the package with its extras, in FOLDER; quick when nothing has changed.
make_venv() {
    local folder=$1 extras=$2 constraints=${3:-} python stamp
    python=$(python_new_enough) || return 1
    stamp="$(pwd) $("$python" --version) $extras $(cat pyproject.toml ${constraints:+"$constraints"} | cksum)"
    if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    echo "Making the virtual environment $folder ..."
    if ! "$python" -m venv --clear "$folder"; then
        echo "The venv module of $python does not work. On Debian and Ubuntu: apt-get install python3-venv" >&2
        return 1
    fi
    local attempt
    for attempt in 1 2 3; do
        if install_into "$folder" "$extras" "$constraints" >"$folder/install.log" 2>&1; then
            echo "$stamp" >"$folder/.stamp"
            return 0
        fi
        tail -n 20 "$folder/install.log" >&2
        echo "Installing did not work (attempt $attempt of 3); the whole story is in $folder/install.log" >&2
        sleep $((attempt * 5))
    done
    return 1
}
