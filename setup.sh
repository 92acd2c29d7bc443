#!/bin/bash
# Prepares the Python environment that is active: installs what is missing and chooses the onnxruntime build for this
# machine. Nothing that is installed changes its version, except pyarrow 19.0.0 in the plugin's own environment. A second
# run changes nothing. Works with bash 3.2.
#
#   WD14_ONNXRUNTIME   a package to use for the GPU instead of the chosen one, such as onnxruntime-migraphx==1.23.2;
#                      "cpu" = leave onnxruntime as it is
#   WD14_SETUP_PAUSE   seconds between two tries of an installation (default 5)

set -u
cd "$(dirname "$0")" || exit 1

# import name : what to install for it (pyproject.toml says the same; a test compares them)
NEEDED="datasets:datasets>=3.6
huggingface_hub:huggingface_hub>=0.34
numpy:numpy>=2.1
onnxruntime:onnxruntime>=1.21
pandas:pandas>=2.2
PIL:pillow>=11.0
pydantic:pydantic>=2.11
tqdm:tqdm>=4.66"
# What the classic host's own SDK imports: missing only where its dependency sync failed, which it does not mind.
HOST_NEEDED="lab:transformerlab==0.0.45
jinja2:jinja2
requests:requests
transformers:transformers>=4.57,<5"
TRIES=3
PAUSE="${WD14_SETUP_PAUSE:-5}"
TAB="$(printf '\t')"

say() { printf '%s\n' "wd14_captioner: $*"; }

find_python() {
  if [ -n "${VIRTUAL_ENV:-}" ] && [ -x "$VIRTUAL_ENV/bin/python" ]; then
    PYTHON="$VIRTUAL_ENV/bin/python"
  else
    PYTHON="$(command -v python3 || command -v python)" || { say "There is no Python here."; exit 1; }
  fi
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "$PYTHON is $("$PYTHON" -V 2>&1), and 3.11 or newer is needed."; exit 1; }
}

find_uv() {
  UV="$(command -v uv)" && return
  for UV in "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv" /opt/homebrew/bin/uv; do
    [ -x "$UV" ] && return
  done
  UV=""
}

# The host's environment has uv and no pip; a person's may have pip alone.
pip_() {
  command="$1"; shift
  if [ -n "$UV" ]; then "$UV" pip "$command" --python "$PYTHON" "$@" </dev/null
  else "$PYTHON" -m pip "$command" "$@" </dev/null
  fi
}

# Prints the lines of $1 whose module is not there (the host's) or cannot be imported (ours), each with the reason after
# a tab. The host's are not imported: that makes folders.
missing_of() {
  "$PYTHON" - "$1" <<'PYTHON_END'
import contextlib, importlib, importlib.util, os, sys
for line in sys.argv[1].splitlines():
    module, _, package = line.partition(":")
    try:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}")
        if not package.startswith(("transformerlab", "transformers")):
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                importlib.import_module(module)
    except Exception as error:
        print(line, f"{type(error).__name__}: {error}".splitlines()[0], sep="\t")
PYTHON_END
}

# Installs with everything that is there held at its version. A network that fails is tried again.
install() {
  held="$(mktemp "${TMPDIR:-/tmp}/wd14-held.XXXXXX")" || return 1
  pip_ freeze 2>/dev/null | grep '^[A-Za-z0-9._-]*==' > "$held"
  try=1
  while :; do
    if [ -n "$UV" ]; then
      pip_ install --constraint "$held" "$@" && break
    else
      pip_ install --disable-pip-version-check --constraint "$held" "$@" && break
    fi
    if [ "$try" -ge "$TRIES" ]; then rm -f "$held"; return 1; fi
    say "That did not work (try $try of $TRIES); trying again in $PAUSE s."
    sleep "$PAUSE"
    try=$((try + 1))
  done
  rm -f "$held"
}

list_missing() {
  printf '%s\n' "$missing" | while IFS="$TAB" read -r what why; do say "  ${what#*:}   ($why)"; done
}

# Installs what is missing of $1; succeeds when all of it can be imported afterwards.
provide() {
  missing="$(missing_of "$1")"
  [ -z "$missing" ] && return 0
  say "Installing what is missing:"
  list_missing
  wanted="$1"
  set --
  while IFS= read -r line; do
    line="${line%%"$TAB"*}"
    set -- ${1+"$@"} "${line#*:}"
  done <<MISSING_END
$missing
MISSING_END
  install "$@"
  missing="$(missing_of "$wanted")"
  [ -z "$missing" ]
}

providers() {
  "$PYTHON" -c 'import onnxruntime as o; print(o.__version__, *o.get_available_providers())' 2>/dev/null
}

# Sets GPU_PACKAGE and GPU_PROVIDER to what this machine's GPU wants; both empty = the usual build is right.
choose_build() {
  GPU_PACKAGE=""; GPU_PROVIDER=""; GPU_NAME=""
  version="$(providers | cut -d' ' -f1)"
  system="$(uname -s)"
  if [ "$system" != "Linux" ]; then return; fi # on macOS the usual build has CoreML
  if has_nvidia; then
    GPU_NAME="NVIDIA"; GPU_PACKAGE="onnxruntime-gpu==$version"; GPU_PROVIDER="CUDAExecutionProvider"
  elif [ -e "${WD14_KFD:-/dev/kfd}" ]; then
    GPU_NAME="AMD"; GPU_PACKAGE="onnxruntime-migraphx==$version"; GPU_PROVIDER="MIGraphXExecutionProvider"
  fi
}

has_nvidia() {
  smi="$(command -v nvidia-smi || echo /usr/lib/wsl/lib/nvidia-smi)"
  "$smi" -L 2>/dev/null | grep -q '^GPU '
}

# The GPU build has the same module and, taken at the same version, the same API: it is laid over the usual one, whose
# entry stays, so no pin moves. Whatever goes wrong, the usual build is put back and the CPU does the work.
use_gpu_build() {
  choose_build
  case "${WD14_ONNXRUNTIME:-}" in
    "") ;;
    cpu) GPU_PACKAGE="" ;;
    *) GPU_PACKAGE="$WD14_ONNXRUNTIME"
       [ -n "$GPU_NAME" ] || { GPU_NAME="your"; GPU_PROVIDER="ExecutionProvider"; } ;;
  esac
  [ -z "$GPU_PACKAGE" ] && return
  before="$(providers)"
  case "$before" in *"$GPU_PROVIDER"*) [ "$GPU_NAME" = your ] || return ;; esac
  if [ "$GPU_NAME" = your ] && is_installed "$GPU_PACKAGE"; then return; fi
  say "For the $GPU_NAME GPU: $GPU_PACKAGE"
  name="${GPU_PACKAGE%%[=<>~! @]*}"
  if [ -n "$UV" ]; then again="--reinstall-package $name"; else again="--force-reinstall"; fi
  # shellcheck disable=SC2086
  if pip_ install --no-deps $again "$GPU_PACKAGE"; then
    case "$(providers)" in *"$GPU_PROVIDER"*) return ;; esac
    say "$GPU_PACKAGE does not work here."
    pip_ uninstall $( [ -n "$UV" ] || echo --yes ) "$name"
  fi
  if [ "$(providers)" != "$before" ]; then
    if [ -n "$UV" ]; then again="--reinstall-package onnxruntime"; else again="--force-reinstall"; fi
    # shellcheck disable=SC2086
    pip_ install --no-deps $again "onnxruntime==$version"
  fi
  say "The GPU will not be used: there is no $GPU_PACKAGE for this machine. Everything works on the CPU."
  [ "$GPU_NAME" = AMD ] && say "Another build can be named: WD14_ONNXRUNTIME=onnxruntime-migraphx==1.23.2 bash setup.sh"
  return 0
}

is_installed() {
  "$PYTHON" - "$1" <<'PYTHON_END'
import re, sys
from importlib.metadata import PackageNotFoundError, version
name, _, wanted = sys.argv[1].partition("==")
try:
    found = version(re.split(r"[<>~! @]", name)[0])
except PackageNotFoundError:
    sys.exit(1)
sys.exit(bool(wanted) and found != wanted)
PYTHON_END
}

# pyarrow 19.0.0, which the host pins, cannot read the Parquet files of later versions (apache/arrow issue 45283).
raise_pyarrow() {
  is_installed "pyarrow==19.0.0" || return 0
  say "Raising pyarrow from 19.0.0 to 19.0.1, which reads the Parquet files of today."
  pip_ install --no-deps "pyarrow==19.0.1" || say "That did not work: some Parquet datasets cannot be read."
}

find_python
find_uv

if [ -f venv/bin/python ] && [ "$(cd "${VIRTUAL_ENV:-/}" 2>/dev/null && pwd -P)" = "$(cd venv && pwd -P)" ]; then
  # All in one go, for one set of versions that fit; where that cannot be, ours alone.
  if ! provide "$HOST_NEEDED
$NEEDED"; then
    say "Missing still, of what the host installs itself and the plugin needs:"
    list_missing
    say "Jobs will not start without all of them: install the plugin again when the network is up."
  fi
  raise_pyarrow
fi

if ! provide "$NEEDED"; then
  say "The installation failed. Missing still:"
  list_missing
  [ -n "$UV" ] || "$PYTHON" -c 'import pip' 2>/dev/null || say "There is neither uv nor pip to install them with."
  say "Look whether this machine reaches the Python package index, and install the plugin again."
  exit 1
fi

use_gpu_build

if ! "$PYTHON" -c 'import wd14.pipeline'; then
  say "The plugin's own files cannot be imported; its folder is not complete."
  exit 1
fi
say "Ready: onnxruntime $(providers)"
