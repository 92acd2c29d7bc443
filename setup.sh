#!/bin/bash
# Prepares the active Python environment: installs what is missing and the onnxruntime build for this machine's GPU.
# Installed packages keep their versions, except pyarrow 19.0.0 in the plugin's own environment. A second run changes
# nothing. Works with bash 3.2 (macOS).
#
# Where the active Python is too old, all goes into an environment of a newer one, in .venv-wd14. The file .python then
# holds the path of the interpreter that can start main.py; it is there only when `python` cannot:
#
#   "$(cat .python 2>/dev/null || echo python)" main.py --task
#
#   WD14_ONNXRUNTIME   the package to use for the GPU, such as onnxruntime-migraphx==1.23.2; "cpu" = none
#   WD14_SETUP_PAUSE   seconds between two tries of an installation (default 5)

set -u
cd "$(dirname "$0")" || exit 1
export PIP_DISABLE_PIP_VERSION_CHECK=1
export ORT_DISABLE_TELEMETRY="${ORT_DISABLE_TELEMETRY:-1}" # onnxruntime 1.32 leaves files in the home folder without it

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
NEEDED_BY_TASK="lab:transformerlab>=0.0.45"

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

# Notes the versions of all that is installed: constraints for an installation that must not move them.
hold() { pip_ freeze 2>/dev/null | grep '^[A-Za-z0-9._-]*==' > "$TEMPORARY/held"; }

# Installs what is missing of $1, with all that is installed held at its version; leaves in $missing what is missing
# still.
provide() {
  missing="$(missing_of "$1")"
  [ -n "$missing" ] || return 0
  say "Installing what is missing:"
  printf '%s\n' "$missing"
  hold
  # shellcheck disable=SC2046
  install --constraint "$TEMPORARY/held" $(printf '%s\n' "$missing" | cut -d' ' -f1)
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

# The CUDA libraries that onnxruntime finds neither in NVIDIA's packages nor in the system.
not_found() {
  "$PYTHON" -c 'import onnxruntime as o; o.preload_dlls()' 2>/dev/null |
    sed -n 's/^Failed to load \([^/:]*\):.*/\1/p' | paste -s -d ' ' -
}

# Sets the build that this machine's GPU wants (empty = the usual one), why, and the provider that it brings. Of a build
# for NVIDIA also $cuda_here: the CUDA of NVIDIA's packages in this environment (PyTorch brings them), or empty.
choose_gpu_build() {
  [ "$(uname -s)" = Linux ] || return # on macOS the usual build has CoreML
  local smi cuda driver; smi="$(command -v nvidia-smi || echo /usr/lib/wsl/lib/nvidia-smi)"
  if "$smi" -L 2>/dev/null | grep -q '^GPU '; then
    driver="$("$smi" 2>/dev/null | sed -n 's/.*CUDA [A-Za-z ]*Version: *\([0-9][0-9]*\).*/\1/p' | head -n 1)"
    cuda="${driver:-12}"; why="the NVIDIA driver"
    if is_installed nvidia-cuda-runtime || is_installed nvidia-cuda-runtime-cu13; then cuda_here=13
    elif is_installed nvidia-cuda-runtime-cu12; then cuda_here=12
    fi
    if [ -n "$cuda_here" ] && [ "$cuda_here" -le "${driver:-13}" ]; then
      cuda="$cuda_here"; why="the libraries in this environment"
    fi
    if [ "$cuda" -lt 12 ]; then
      say "The GPU is not used: its driver is for CUDA $cuda, and 12 or newer is needed. Everything works on the CPU."
      return
    elif [ "$cuda" -eq 12 ]; then build="onnxruntime-gpu>=1.21,<1.27" # newer ones are for CUDA 13
    else cuda=13; build="onnxruntime-gpu>=1.27"
    fi
    provider=CUDAExecutionProvider; why="the newest for CUDA $cuda ($why)"
  elif [ -e "${WD14_KFD:-/dev/kfd}" ]; then
    build="onnxruntime-migraphx>=1.21"; provider=MIGraphXExecutionProvider; why="the newest for AMD GPUs"
  fi
}

# Installs $build, and NVIDIA's libraries where neither the environment nor the system has any; else sets $problem.
try_gpu_build() {
  pip_ install --no-deps --force-reinstall "$build" || { problem="cannot be installed"; return; }
  case "$(onnxruntime)" in *"$provider"*) ;; *) problem="does not work here"; return ;; esac
  [ "$provider" = CUDAExecutionProvider ] || return 0
  if [ -z "$cuda_here" ] && [ -n "$(not_found)" ]; then
    hold
    install --constraint "$TEMPORARY/held" "${name}[cuda,cudnn]" && why="$why, with NVIDIA's libraries"
  fi
  problem="$(not_found)"; problem="${problem:+does not find $problem}"
}

# A GPU build has the same module and API, often at another version. It is laid over the usual build, whose entry stays,
# so no version changes; what is left of the usual build's files is not loaded. Where the GPU build does not work, those
# files are put back, and the CPU does the work.
use_gpu_build() {
  local build="${WD14_ONNXRUNTIME:-}" provider=ExecutionProvider why="named in WD14_ONNXRUNTIME"
  local cuda_here="" problem="" before folder name
  before="$(onnxruntime)"
  case "$build" in
    cpu) return ;;
    "") provider=""; choose_gpu_build
        case "$before" in *"$provider"*) return ;; esac ;;
    *) is_installed "$build" && return ;;
  esac
  name="${build%%[=<>~! @[]*}"
  folder="$("$PYTHON" -c 'import onnxruntime as o; print(o.__path__[0])')"
  cp -Rp "$folder" "$TEMPORARY/usual" || {
    say "The GPU is not used: the usual build cannot be kept in $TEMPORARY. Everything works on the CPU."; return; }
  try_gpu_build
  if [ -z "$problem" ]; then
    before="$(onnxruntime)"; say "GPU: $name ${before%% *}, $why."; return
  fi
  is_installed "$name" && PIP_YES=1 pip_ uninstall "$name"
  rm -rf "$folder" && mv "$TEMPORARY/usual" "$folder"
  say "The GPU is not used: $build, $why, $problem. Everything works on the CPU."
  say "Another build can be named: WD14_ONNXRUNTIME=$name==1.23.2 bash setup.sh"
}

# The plugin's own environment in the classic host, which starts jobs with it.
in_plugin_venv() { [ -f venv/bin/python ] && [ "${VIRTUAL_ENV:-}" -ef venv ]; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Makes an environment of a newer Python beside this file, and sets PYTHON to it.
make_environment() {
  local newer pip=""
  command -v uv >/dev/null && pip=--without-pip
  PYTHON="$PWD/.venv-wd14/bin/python"
  new_enough "$PYTHON" && return
  for newer in python3.14 python3.13 python3.12 python3.11; do
    new_enough "$newer" && "$newer" -m venv --clear ${pip:+"$pip"} .venv-wd14 && return
  done
  command -v uv >/dev/null && uv venv --clear --python 3.12 .venv-wd14 </dev/null
}

PYTHON="${VIRTUAL_ENV:-}/bin/python"
[ -x "$PYTHON" ] || PYTHON="$(command -v python3 || command -v python)" || { say "There is no Python here."; exit 1; }
ACTIVE="$PYTHON"
TEMPORARY="$(mktemp -d "${TMPDIR:-/tmp}/wd14-setup.XXXXXX")" || exit 1
trap 'rm -rf "$TEMPORARY"' EXIT

if ! new_enough "$PYTHON"; then
  too_old="$PYTHON is $("$PYTHON" -V 2>&1), and 3.11 or newer is needed"
  in_plugin_venv || make_environment || PYTHON="$ACTIVE"
  [ "$PYTHON" != "$ACTIVE" ] || {
    say "$too_old: choose an image or environment with a newer Python, or one with uv and a network."; exit 1; }
  say "$too_old: using $("$PYTHON" -V 2>&1) in .venv-wd14."
  NEEDED="$NEEDED
$NEEDED_BY_TASK"
fi

if in_plugin_venv; then
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
if [ "$PYTHON" = "$ACTIVE" ] && command -v python >/dev/null; then rm -f .python
else printf '%s\n' "$PYTHON" > .python
fi
say "Ready: onnxruntime $(onnxruntime)"
