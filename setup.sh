#!/bin/bash
# Prepares the active Python environment: installs what is missing and the onnxruntime build for this machine's GPU.
# Installed packages keep their versions, except pyarrow 19.0.0 in the plugin's own environment. A second run changes
# nothing. Works with bash 3.2 (macOS).
#
#   WD14_ONNXRUNTIME   the package to use for the GPU, such as onnxruntime-migraphx==1.23.2; "cpu" = none
#   WD14_SETUP_PAUSE   seconds between two tries of an installation (default 5)

set -u
cd "$(dirname "$0")" || exit 1
export PIP_DISABLE_PIP_VERSION_CHECK=1

# import name : what to install for it (a test compares them with pyproject.toml)
NEEDED="datasets:datasets>=3.6
huggingface_hub:huggingface_hub>=0.34
numpy:numpy>=2.1
onnxruntime:onnxruntime>=1.21
pandas:pandas>=2.2
PIL:pillow>=11.0
pydantic:pydantic>=2.11
tqdm:tqdm>=4.66"
# What the classic host's SDK imports. The host installs it, and does not mind when that fails.
NEEDED_BY_HOST="lab:transformerlab==0.0.45
jinja2:jinja2
requests:requests
transformers:transformers>=4.57,<5"

say() { printf '%s\n' "wd14_captioner: $*"; }

# pip_ COMMAND ARGUMENTS: the host's environment has uv and no pip, other environments may have pip alone.
pip_() {
  local command="$1"; shift
  if command -v uv >/dev/null; then uv pip "$command" --python "$PYTHON" "$@" </dev/null
  else "$PYTHON" -m pip "$command" "$@" </dev/null
  fi
}

# A network that fails is tried again.
install() {
  local try
  for try in 1 2 3; do
    pip_ install "$@" && return
    [ "$try" -lt 3 ] && say "That did not work (try $try of 3); trying again." && sleep "${WD14_SETUP_PAUSE:-5}"
  done
  return 1
}

# Prints a line for each package of $1 that cannot be imported: what to install, and why. Packages that make folders
# when they are imported are only looked for.
missing_of() {
  "$PYTHON" - "$1" <<'PYTHON_END'
import contextlib, importlib, importlib.util, os, sys
for line in sys.argv[1].splitlines():
    module, _, package = line.partition(":")
    try:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}")
        if module not in ("lab", "transformers"):
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                importlib.import_module(module)
    except Exception as error:
        print(package, f"  ({type(error).__name__}: {error}".splitlines()[0] + ")")
PYTHON_END
}

# Installs what is missing of $1, with all that is installed held at its version; leaves in $missing what is missing
# still.
provide() {
  missing="$(missing_of "$1")"
  [ -n "$missing" ] || return 0
  say "Installing what is missing:"
  printf '%s\n' "$missing"
  pip_ freeze 2>/dev/null | grep '^[A-Za-z0-9._-]*==' > "$HELD"
  # shellcheck disable=SC2046
  install --constraint "$HELD" $(printf '%s\n' "$missing" | cut -d' ' -f1)
  missing="$(missing_of "$1")"
  [ -z "$missing" ]
}

# is_installed NAME or NAME==VERSION
is_installed() {
  "$PYTHON" -c 'import sys; from importlib.metadata import version
name, _, wanted = sys.argv[1].partition("=="); sys.exit(version(name) != (wanted or version(name)))' "$1" 2>/dev/null
}

onnxruntime() {
  "$PYTHON" -c 'import onnxruntime as o; print(o.__version__, *o.get_available_providers())' 2>/dev/null
}

# Sets the package that this machine's GPU wants, and the provider that it brings; empty = the usual build.
choose_gpu_build() {
  build=""; provider=""
  [ "$(uname -s)" = Linux ] || return # on macOS the usual build has CoreML
  local smi; smi="$(command -v nvidia-smi || echo /usr/lib/wsl/lib/nvidia-smi)"
  if "$smi" -L 2>/dev/null | grep -q '^GPU '; then
    build="onnxruntime-gpu==$1"; provider=CUDAExecutionProvider
  elif [ -e "${WD14_KFD:-/dev/kfd}" ]; then
    build="onnxruntime-migraphx==$1"; provider=MIGraphXExecutionProvider
  fi
}

# A GPU build has the same module and, at the same version, the same API: it is laid over the usual one, whose entry
# stays, so no version changes. Where it does not work the usual build is put back, and the CPU does the work.
use_gpu_build() {
  local build provider before version
  before="$(onnxruntime)"; version="${before%% *}"
  choose_gpu_build "$version"
  case "${WD14_ONNXRUNTIME:-}" in
    "") case "$before" in *"${provider:-}"*) return ;; esac ;;
    cpu) return ;;
    *) build="$WD14_ONNXRUNTIME"; provider=ExecutionProvider
       is_installed "$build" && return ;;
  esac
  say "Installing $build for the GPU."
  if pip_ install --no-deps --force-reinstall "$build"; then
    case "$(onnxruntime)" in *"$provider"*) return ;; esac
    say "$build does not work here."
    PIP_YES=1 pip_ uninstall "${build%%[=<>~! @]*}"
  fi
  [ "$(onnxruntime)" = "$before" ] || pip_ install --no-deps --force-reinstall "onnxruntime==$version"
  say "The GPU is not used: $build cannot be used on this machine. Everything works on the CPU."
  say "Another build can be named: WD14_ONNXRUNTIME=${build%%==*}==1.23.2 bash setup.sh"
}

PYTHON="${VIRTUAL_ENV:-}/bin/python"
[ -x "$PYTHON" ] || PYTHON="$(command -v python3 || command -v python)" || { say "There is no Python here."; exit 1; }
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  say "$PYTHON is $("$PYTHON" -V 2>&1), and 3.11 or newer is needed."; exit 1; }
HELD="$(mktemp "${TMPDIR:-/tmp}/wd14-held.XXXXXX")" || exit 1
trap 'rm -f "$HELD"' EXIT

if [ -f venv/bin/python ] && [ "${VIRTUAL_ENV:-}" -ef venv ]; then # the plugin's own environment in the classic host
  # All in one go, for versions that fit each other; where that fails, ours alone (below).
  provide "$NEEDED_BY_HOST
$NEEDED" || {
    say "Still missing, and jobs do not start without them: install the plugin again when the network is up."
    printf '%s\n' "$missing"; }
  if is_installed pyarrow==19.0.0; then # it cannot read the Parquet files of later versions (apache/arrow issue 45283)
    say "Raising pyarrow from 19.0.0 to 19.0.1, which reads today's Parquet files."
    install --no-deps pyarrow==19.0.1 || say "That did not work: some Parquet datasets cannot be read."
  fi
fi

provide "$NEEDED" || {
  say "The installation failed. Still missing:"
  printf '%s\n' "$missing"
  say "Check that this machine reaches the Python package index (and has uv or pip), and install the plugin again."
  exit 1; }

use_gpu_build

"$PYTHON" -c 'import wd14.pipeline' || { say "The plugin's folder is not complete: install the plugin again."; exit 1; }
say "Ready: onnxruntime $(onnxruntime)"
