"""A machine of any kind for `setup.sh`: the script is the real one, the installer and the packages are stand-ins."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

from tests.support import stand_in_uv
from tests.support.stand_in_uv import MODULES, put_metadata, put_module, put_onnxruntime

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "setup.sh").read_text("utf-8")
#: All that the script may need of a system. Nothing else is on its PATH, so the system's own Pythons are not found.
TOOLS = ["bash", "cp", "cut", "dirname", "grep", "head", "mktemp", "mv", "paste", "rm", "sed", "sleep", "uname"]


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/bash\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class Machine:
    """A machine with the plugin in its folder, the classic host's environment there, `python` and `uv`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.plugin = home / "plugin"
        put_module(self.plugin, "wd14")
        (self.plugin / "wd14" / "pipeline.py").write_text("")
        (self.plugin / "setup.sh").write_text(SCRIPT)
        self.venv = self.plugin / "venv"
        self.site = self.venv / "site"
        self.bin = home / "bin"
        self.installer = f'"{sys.executable}" "{stand_in_uv.__file__}" "{home}"'
        python = f'PYTHONPATH="${{0%/*}}/../site" exec "{sys.executable}" -S "$@"\n'
        for folder in (self.venv, home / "new-environment"):
            program(folder / "bin" / "python", python)
        for module in MODULES:
            put_module(self.site, module)
        put_onnxruntime(home, self.site, "onnxruntime", "1.21.0")
        program(self.bin / "uv", f'exec {self.installer} "$@"\n')
        program(self.bin / "python", "exit 9\n")
        program(self.bin / "nvidia-smi", "exit 9\n")
        for tool in TOOLS:
            found = shutil.which(tool, path="/bin:/usr/bin")
            assert found is not None, tool
            (self.bin / tool).symlink_to(found)
        for name, text in {
            "frozen": "numpy==2.1.2\npillow==11.0.0\n-e file:///somewhere\nown @ file:///x\n",
            "failures": "0",
            "not-found": "",
            "providers-of-onnxruntime-gpu": "CUDAExecutionProvider CPUExecutionProvider",
            "providers-of-onnxruntime-migraphx": "MIGraphXExecutionProvider CPUExecutionProvider",
        }.items():
            self.note(name, text)

    def note(self, name: str, text: str = "") -> None:
        """Writes one of the files that the stand-ins read."""
        (self.home / name).write_text(text)

    def lose(self, *modules: str) -> None:
        for module in modules:
            shutil.rmtree(self.site / module)

    def distribution(self, name: str, version: str) -> None:
        put_metadata(self.site, name, version)

    def use_build(self, version: str) -> None:
        """Installs another version of the usual onnxruntime."""
        put_onnxruntime(self.home, self.site, "onnxruntime", version)

    def give_nvidia(self, driver: str = "CUDA Version: 12.8") -> None:
        program(
            self.bin / "nvidia-smi",
            'case "${1:-}" in -L) echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-0)" ;; *)'
            f' echo "| NVIDIA-SMI 570.86.10     Driver Version: 570.86.10     {driver}    |" ;; esac\n',
        )

    def give_old_python(self) -> Path:
        """An environment of Python 3.10, outside the plugin's folder."""
        python = f"""[ "$1" = -V ] && echo "Python 3.10.4" && exit
exec "{sys.executable}" -c "import sys; sys.version_info = (3, 10, 4); $2"
"""
        program(self.home / "old" / "bin" / "python", python)
        return self.home / "old"

    def give_newer_python(self, name: str) -> None:
        program(
            self.bin / name,
            f'[ "$1 $2" = "-m venv" ] && shift && exec {self.installer} "$@"\nexec "{sys.executable}" "$@"\n',
        )

    def setup(self, **env: str) -> subprocess.CompletedProcess[str]:
        """Runs `setup.sh`, from another folder."""
        self.note("calls")
        known = {
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "VIRTUAL_ENV": str(self.venv),
            "WD14_SETUP_PAUSE": "0",
            "WD14_KFD": str(self.home / "no-kfd"),
            "TMPDIR": str(self.home),
        }
        return subprocess.run(
            ["/bin/bash", str(self.plugin / "setup.sh")],
            cwd=self.home,
            env={**known, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().splitlines()

    @property
    def installs(self) -> list[str]:
        return [line for line in self.calls if line.startswith("pip install")]
