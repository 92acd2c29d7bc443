"""`setup.sh` on machines of every kind: the script is the real one, the installer and the packages are stand-ins."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = (ROOT / "setup.sh").read_text("utf-8")
#: Module and package of all that the plugin and the host's SDK import.
MODULES = {
    "datasets": "datasets",
    "huggingface_hub": "huggingface-hub",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "pandas": "pandas",
    "PIL": "pillow",
    "pydantic": "pydantic",
    "tqdm": "tqdm",
    "lab": "transformerlab",
    "jinja2": "jinja2",
    "requests": "requests",
    "transformers": "transformers",
}

#: `uv`: notes how it was called; installs by making modules; fails as often as the file `failures` says.
UV = """#!{python}
import pathlib, re, sys
home = pathlib.Path({home!r})
words = sys.argv[1:]
with (home / "calls").open("a") as calls:
    calls.write(" ".join(words) + "\\n")
if words[:2] == ["pip", "freeze"]:
    print((home / "frozen").read_text())
elif words[:2] == ["pip", "uninstall"]:
    (home / "build").write_text((home / "after-uninstall").read_text())
elif words[:2] == ["pip", "install"]:
    failures = int((home / "failures").read_text())
    if failures:
        (home / "failures").write_text(str(failures - 1))
        sys.exit("error: no network")
    if "--constraint" in words:
        held = pathlib.Path(words[words.index("--constraint") + 1]).read_text()
        (home / "held").write_text(held)
    modules = {modules!r}
    for word in words[2:]:
        name = re.split("[<>=]", word)[0].replace("_", "-")
        if name == "onnxruntime-gpu":
            (home / "build").write_text((home / "gpu").read_text())
        if name == "onnxruntime-migraphx":
            sys.exit("error: no such version")
        for module, package in modules.items():
            if package == name and not (home / "site" / module).exists():
                (home / "site" / module).mkdir()
                (home / "site" / module / "__init__.py").write_text("")
"""
ONNXRUNTIME = """
import pathlib
__version__, *_providers = pathlib.Path({build!r}).read_text().split()
def get_available_providers():
    return _providers
"""


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class Machine:
    """A machine with the plugin in its folder, the host's environment, and `uv`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.plugin = home / "plugin"
        (self.plugin / "wd14").mkdir(parents=True)
        (self.plugin / "wd14" / "__init__.py").write_text("")
        (self.plugin / "wd14" / "pipeline.py").write_text("")
        (self.plugin / "setup.sh").write_text(SCRIPT)
        for module in MODULES:
            (home / "site" / module).mkdir(parents=True)
            (home / "site" / module / "__init__.py").write_text("")
        (home / "site" / "onnxruntime" / "__init__.py").write_text(ONNXRUNTIME.format(build=str(home / "build")))
        (home / "build").write_text("1.21.0 CPUExecutionProvider")
        (home / "gpu").write_text("1.21.0 CUDAExecutionProvider CPUExecutionProvider")
        (home / "frozen").write_text("numpy==2.1.2\npillow==11.0.0\n-e file:///somewhere\nown @ file:///x\n")
        (home / "failures").write_text("0")
        (home / "after-uninstall").write_text("1.21.0 CPUExecutionProvider")
        (home / "calls").write_text("")
        self.venv = self.plugin / "venv"
        self.bin = home / "bin"
        program(
            self.venv / "bin" / "python", f'#!/bin/bash\nPYTHONPATH="{home}/site" exec "{sys.executable}" -S "$@"\n'
        )
        program(self.bin / "uv", UV.format(python=sys.executable, home=str(home), modules=MODULES))
        program(self.bin / "nvidia-smi", "#!/bin/bash\nexit 9\n")

    def lose(self, *modules: str) -> None:
        for module in modules:
            shutil.rmtree(self.home / "site" / module)

    def distribution(self, name: str, version: str) -> None:
        folder = self.home / "site" / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    def give_nvidia(self) -> None:
        program(self.bin / "nvidia-smi", '#!/bin/bash\necho "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-0)"\n')

    def setup(self, folder: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        (self.home / "calls").write_text("")
        known = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(self.home),
            "VIRTUAL_ENV": str(self.venv),
            "WD14_SETUP_PAUSE": "0",
            "WD14_KFD": str(self.home / "no-kfd"),
            "TMPDIR": str(self.home),
        }
        return subprocess.run(
            ["bash", "setup.sh"],
            cwd=folder or self.plugin,
            env={**known, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def installs(self) -> list[str]:
        return [line for line in (self.home / "calls").read_text().splitlines() if line.startswith("pip install")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_it_needs_what_the_package_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = re.search(r'^NEEDED="(.*?)"', SCRIPT, re.DOTALL | re.MULTILINE)
    assert listed is not None
    assert sorted(line.partition(":")[2] for line in listed[1].splitlines()) == sorted(project["dependencies"])


def test_where_all_is_there_nothing_is_installed(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installs == []
    assert done.stdout == "wd14_captioner: Ready: onnxruntime 1.21.0 CPUExecutionProvider\n"


def test_what_is_missing_is_installed_and_the_rest_is_held(machine: Machine) -> None:
    machine.lose("tqdm", "PIL")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    (install,) = machine.installs
    assert "tqdm>=4.66" in install
    assert "pillow>=11.0" in install
    assert "numpy" not in install
    assert (machine.home / "held").read_text().splitlines() == ["numpy==2.1.2", "pillow==11.0.0"]
    assert "tqdm>=4.66   (ModuleNotFoundError: No module named 'tqdm')" in done.stdout
    machine.setup()
    assert machine.installs == []
    assert not list(machine.home.glob("wd14-held*"))


def test_a_package_that_is_broken_counts_as_missing(machine: Machine) -> None:
    (machine.home / "site" / "pandas" / "__init__.py").write_text("raise OSError('libfoo.so: cannot open')")
    done = machine.setup()
    assert done.returncode == 1
    assert "pandas>=2.2   (OSError: libfoo.so: cannot open)" in done.stdout


def test_a_network_that_fails_is_tried_again(machine: Machine) -> None:
    machine.lose("tqdm")
    (machine.home / "failures").write_text("2")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(machine.installs) == 3
    assert "try 2 of 3" in done.stdout


def test_when_it_must_fail_it_names_what_is_missing(machine: Machine) -> None:
    machine.lose("tqdm", "datasets")
    (machine.home / "failures").write_text("99")
    done = machine.setup()
    assert done.returncode == 1
    last = done.stdout.partition("The installation failed. Still missing:")[2]
    assert "datasets>=3.6" in last
    assert "tqdm>=4.66" in last
    assert "reaches the Python package index" in last
    assert len(machine.installs) == 6  # three tries with what the host needs, three for ours alone


def test_an_environment_that_the_host_left_empty_is_filled(machine: Machine) -> None:
    machine.lose("lab", "transformers", "jinja2", "pandas")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    (install,) = machine.installs
    for package in ("transformerlab==0.0.45", "transformers>=4.57,<5", "jinja2", "pandas>=2.2"):
        assert f" {package}" in install


@pytest.mark.parametrize(("version", "raised"), [("19.0.0", True), ("19.0.1", False), ("26.0.1", False)])
def test_the_pyarrow_that_cannot_read_todays_files_is_raised(machine: Machine, version: str, raised: bool) -> None:
    machine.distribution("pyarrow", version)
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installs == (
        [f"pip install --python {machine.venv}/bin/python --no-deps pyarrow==19.0.1"] if raised else []
    )


def test_a_pyarrow_that_cannot_be_raised_is_said_and_no_error(machine: Machine) -> None:
    machine.distribution("pyarrow", "19.0.0")
    (machine.home / "failures").write_text("99")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "some Parquet datasets cannot be read" in done.stdout


def test_pyarrow_is_left_alone_in_an_environment_that_is_not_the_plugins(machine: Machine) -> None:
    machine.distribution("pyarrow", "19.0.0")
    elsewhere = Path(shutil.copytree(machine.venv, machine.home / "my-venv"))
    assert machine.setup(VIRTUAL_ENV=str(elsewhere)).returncode == 0
    assert machine.installs == []


def test_outside_the_host_its_sdk_is_not_wanted(machine: Machine) -> None:
    machine.lose("lab", "transformers")
    elsewhere = machine.venv.rename(machine.home / "my-venv")
    done = machine.setup(VIRTUAL_ENV=str(elsewhere))
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installs == []


def test_an_nvidia_machine_gets_the_gpu_build_of_the_same_version(machine: Machine) -> None:
    machine.give_nvidia()
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    (install,) = machine.installs
    assert install.endswith("--no-deps --force-reinstall onnxruntime-gpu==1.21.0")
    assert "Ready: onnxruntime 1.21.0 CUDAExecutionProvider" in done.stdout
    machine.setup()
    assert machine.installs == []


def test_a_gpu_build_that_does_not_work_is_taken_back(machine: Machine) -> None:
    machine.give_nvidia()
    (machine.home / "gpu").write_text("1.21.0 CPUExecutionProvider")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not work here" in done.stdout
    assert "The GPU is not used" in done.stdout
    assert f"pip uninstall --python {machine.venv}/bin/python onnxruntime-gpu\n" in (machine.home / "calls").read_text()
    assert done.stdout.endswith("Ready: onnxruntime 1.21.0 CPUExecutionProvider\n")


def test_an_amd_machine_without_a_build_is_told_what_to_do(machine: Machine) -> None:
    (machine.home / "kfd").write_text("")
    done = machine.setup(WD14_KFD=str(machine.home / "kfd"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Installing onnxruntime-migraphx==1.21.0 for the GPU." in done.stdout
    assert "WD14_ONNXRUNTIME=onnxruntime-migraphx" in done.stdout


def test_an_apple_machine_keeps_the_usual_build(machine: Machine) -> None:
    program(machine.bin / "uname", "#!/bin/bash\necho Darwin\n")
    machine.give_nvidia()
    (machine.home / "build").write_text("1.21.0 CoreMLExecutionProvider CPUExecutionProvider")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installs == []


def test_the_build_can_be_named_or_left_alone(machine: Machine) -> None:
    machine.give_nvidia()
    assert machine.setup(WD14_ONNXRUNTIME="cpu").returncode == 0
    assert machine.installs == []
    assert machine.setup(WD14_ONNXRUNTIME="onnxruntime-gpu==1.21.1").returncode == 0
    assert machine.installs[0].endswith(" onnxruntime-gpu==1.21.1")
    machine.distribution("onnxruntime-gpu", "1.21.1")
    assert machine.setup(WD14_ONNXRUNTIME="onnxruntime-gpu==1.21.1").returncode == 0
    assert machine.installs == []
    assert machine.setup(WD14_ONNXRUNTIME="onnxruntime-gpu==1.21.2").returncode == 0
    assert len(machine.installs) == 1


def test_a_named_build_counts_as_working_when_it_can_be_imported(machine: Machine) -> None:
    (machine.home / "gpu").write_text("1.21.0 ROCMExecutionProvider CPUExecutionProvider")
    done = machine.setup(WD14_ONNXRUNTIME="onnxruntime-gpu==1.21.0")
    assert done.stdout.endswith("Ready: onnxruntime 1.21.0 ROCMExecutionProvider CPUExecutionProvider\n")


def test_a_gpu_build_that_broke_the_usual_one_is_replaced_by_it(machine: Machine) -> None:
    machine.give_nvidia()
    (machine.home / "gpu").write_text("1.21.0 CPUExecutionProvider")
    (machine.home / "after-uninstall").write_text("1.20.0 CPUExecutionProvider")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installs[-1].endswith("--no-deps --force-reinstall onnxruntime==1.21.0")


def test_a_failed_installation_of_the_hosts_packages_is_said_and_no_error(machine: Machine) -> None:
    machine.lose("lab")
    (machine.home / "failures").write_text("99")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "transformerlab==0.0.45   (ModuleNotFoundError"
        in done.stdout.partition("Still missing, and jobs do not start")[2]
    )
    assert done.stdout.splitlines()[-1].startswith("wd14_captioner: Ready")


def test_where_all_cannot_be_installed_together_ours_are(machine: Machine) -> None:
    machine.lose("lab", "tqdm")
    (machine.home / "failures").write_text("3")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert " tqdm>=4.66" in machine.installs[-1]
    assert "transformerlab" not in machine.installs[-1]


def test_an_old_python_is_refused(machine: Machine) -> None:
    old = f"""#!/bin/bash
[ "$1" = -V ] && echo "Python 3.10.4" && exit
exec "{sys.executable}" -c "import sys; sys.version_info = (3, 10, 4); $2"
"""
    program(machine.venv / "bin" / "python", old)
    done = machine.setup()
    assert done.returncode == 1
    assert "is Python 3.10.4, and 3.11 or newer is needed" in done.stdout


def test_pip_serves_where_there_is_no_uv(machine: Machine) -> None:
    (machine.bin / "uv").rename(machine.bin / "like-uv")
    pip = f'[ "$1 $2" = "-m pip" ] && shift 2 && exec {sys.executable} {machine.bin}/like-uv pip "$@"\n'
    python = (machine.venv / "bin" / "python").read_text().replace("\n", f"\n{pip}", 1)
    program(machine.venv / "bin" / "python", python)
    machine.lose("tqdm")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(machine.installs) == 1


def test_it_is_committed_with_unix_line_ends() -> None:
    assert b"\r" not in (ROOT / "setup.sh").read_bytes()


def test_it_needs_nothing_that_old_shells_lack() -> None:
    """macOS ships bash 3.2: no associative arrays, `mapfile`, `${x,,}`, `|&`, `&>>` or `coproc`."""
    lines = [line for line in SCRIPT.splitlines() if not line.lstrip().startswith("#")]
    for word in (
        r"declare -A",
        r"local -n",
        r"\bmapfile\b",
        r"\breadarray\b",
        r"\$\{\w+(,,|\^\^)",
        r"\|&",
        r"&>>",
        "coproc",
    ):
        assert not [line for line in lines if re.search(word, line)], word


def test_without_an_installer_it_says_so(machine: Machine) -> None:
    machine.lose("tqdm")
    (machine.bin / "uv").unlink()
    done = machine.setup()
    assert done.returncode == 1
    assert "has uv or pip" in done.stdout


def test_an_incomplete_plugin_folder_is_an_error(machine: Machine) -> None:
    (machine.plugin / "wd14" / "pipeline.py").unlink()
    done = machine.setup()
    assert done.returncode == 1
    assert "folder is not complete" in done.stdout


def test_it_works_from_another_folder(machine: Machine) -> None:
    done = subprocess.run(
        ["bash", str(machine.plugin / "setup.sh")],
        cwd=machine.home,
        env={**os.environ, "PATH": f"{machine.bin}:/usr/bin:/bin", "VIRTUAL_ENV": str(machine.venv)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
