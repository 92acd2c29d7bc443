"""`setup.sh` on machines of every kind: the script is the real one, the installer and the packages are stand-ins."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.support.setup_machine import ROOT, SCRIPT, Machine, program


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
    assert (machine.home / "held").read_text().split() == ["numpy==2.1.2", "pillow==11.0.0", "onnxruntime==1.21.0"]
    assert "tqdm>=4.66   (ModuleNotFoundError: No module named 'tqdm')" in done.stdout
    machine.setup()
    assert machine.installs == []
    assert not list(machine.home.glob("wd14-setup*"))


def test_a_package_that_is_broken_counts_as_missing(machine: Machine) -> None:
    (machine.site / "pandas" / "__init__.py").write_text("raise OSError('libfoo.so: cannot open')")
    done = machine.setup()
    assert done.returncode == 1
    assert "pandas>=2.2   (OSError: libfoo.so: cannot open)" in done.stdout


def test_a_network_that_fails_is_tried_again(machine: Machine) -> None:
    machine.lose("tqdm")
    machine.note("failures", "2")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(machine.installs) == 3
    assert "try 2 of 3" in done.stdout


def test_when_it_must_fail_it_names_what_is_missing(machine: Machine) -> None:
    machine.lose("tqdm", "datasets")
    machine.note("failures", "99")
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
    machine.note("failures", "99")
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


def test_a_failed_installation_of_the_hosts_packages_is_said_and_no_error(machine: Machine) -> None:
    machine.lose("lab")
    machine.note("failures", "99")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "transformerlab==0.0.45   (ModuleNotFoundError"
        in done.stdout.partition("Still missing, and jobs do not start")[2]
    )
    assert done.stdout.splitlines()[-1].startswith("wd14_captioner: Ready")


def test_where_all_cannot_be_installed_together_ours_are(machine: Machine) -> None:
    machine.lose("lab", "tqdm")
    machine.note("failures", "3")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert " tqdm>=4.66" in machine.installs[-1]
    assert "transformerlab" not in machine.installs[-1]


def test_an_old_python_in_the_plugins_own_environment_is_refused(machine: Machine) -> None:
    machine.give_newer_python("python3.12")
    shutil.copy(machine.give_old_python() / "bin" / "python", machine.venv / "bin" / "python")
    done = machine.setup()
    assert done.returncode == 1
    assert "is Python 3.10.4, and 3.11 or newer is needed: choose an" in done.stdout
    assert machine.calls == []


def test_where_python_is_too_old_a_newer_one_gets_an_environment(machine: Machine) -> None:
    old = str(machine.give_old_python())
    machine.give_newer_python("python3.12")
    done = machine.setup(VIRTUAL_ENV=old)
    assert done.returncode == 0, done.stdout + done.stderr
    environment = machine.plugin / ".venv-wd14"
    assert f"{old}/bin/python is Python 3.10.4, and 3.11 or newer is needed: using Python 3." in done.stdout
    assert (machine.plugin / ".python").read_text() == f"{environment}/bin/python\n"
    (install,) = machine.installs
    assert f"--python {environment}/bin/python " in install
    assert " transformerlab>=0.0.45" in install
    assert done.stdout.splitlines()[-1].startswith("wd14_captioner: Ready: onnxruntime 1.32.0")

    assert machine.setup(VIRTUAL_ENV=old).returncode == 0
    assert [call for call in machine.calls if "freeze" not in call] == []

    assert machine.setup().returncode == 0  # a Python that is new enough
    assert not (machine.plugin / ".python").exists()


def test_where_there_is_no_newer_python_uv_brings_one(machine: Machine) -> None:
    old = str(machine.give_old_python())
    done = machine.setup(VIRTUAL_ENV=old)
    assert done.returncode == 1
    assert "and 3.11 or newer is needed: choose an image or environment with a newer Python" in done.stdout
    machine.note("python-to-download")
    done = machine.setup(VIRTUAL_ENV=old)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (machine.plugin / ".python").read_text() == f"{machine.plugin}/.venv-wd14/bin/python\n"


def test_a_system_with_python3_and_no_python_can_start_the_task(machine: Machine) -> None:
    (machine.bin / "python").unlink()
    shutil.copytree(machine.site, machine.home / "site")
    shutil.copy(machine.venv / "bin" / "python", machine.bin / "python3")
    done = machine.setup(VIRTUAL_ENV="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (machine.plugin / ".python").read_text() == f"{machine.bin}/python3\n"


def test_onnxruntime_sends_and_stores_no_telemetry(machine: Machine) -> None:
    assert machine.setup().returncode == 0
    assert not (machine.home / "telemetry").exists()
    machine.setup(ORT_DISABLE_TELEMETRY="0")  # what a person has set stays
    assert (machine.home / "telemetry").exists()


def test_pip_serves_where_there_is_no_uv(machine: Machine) -> None:
    (machine.bin / "uv").unlink()
    pip = f'[ "$1 $2" = "-m pip" ] && c="$3" && shift 3 && exec {machine.installer} pip "$c" --python "$0" "$@"\n'
    python = (machine.venv / "bin" / "python").read_text().replace("\n", f"\n{pip}", 1)
    program(machine.venv / "bin" / "python", python.removeprefix("#!/bin/bash\n"))
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
