"""`task.yaml` and the folder that is uploaded: what the form offers, and how the host starts it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from scripts.task_yaml import NOT_OFFERED
from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.hosts import choose_host
from wd14.hosts.transformer_lab import DATASET_KEYS

ROOT = Path(__file__).parents[3]
TASK = yaml.safe_load((ROOT / "task.yaml").read_text("utf-8"))
PARAMETERS: dict[str, dict[str, Any]] = TASK["parameters"]
#: All that the host's schema knows; it refuses a task with another key.
KNOWN = {"name", "resources", "envs", "setup", "run", "parameters", "github_repo_url", "github_repo_dir"}
#: What its form and its command line know of a parameter.
KNOWN_OF_A_PARAMETER = {"type", "default", "min", "max", "step", "options", "title", "required", "ui_widget"}


def test_it_has_only_keys_that_the_host_knows() -> None:
    assert set(TASK) <= KNOWN
    assert isinstance(TASK["name"], str)
    assert set(TASK["resources"]) <= {"cpus", "memory", "disk_space", "accelerators"}
    assert all(isinstance(value, str) for value in TASK["envs"].values())
    for parameter in PARAMETERS.values():
        assert {"type", "default", "title"} <= set(parameter) <= KNOWN_OF_A_PARAMETER
        assert parameter["type"] in {"int", "float", "bool", "enum", "string"}


def test_it_offers_every_parameter_that_makes_sense_on_a_host() -> None:
    assert list(PARAMETERS) == [DATASET_KEYS[0], *(key for key in CaptionConfig.model_fields if key not in NOT_OFFERED)]


def test_each_parameter_has_the_widget_for_it() -> None:
    widgets: dict[str, list[str]] = {}
    for key, parameter in PARAMETERS.items():
        widgets.setdefault(parameter.get("ui_widget", parameter["type"]), []).append(key)
    assert widgets["lab_dataset_select"] == ["dataset_name"]
    assert widgets["slider"] == ["thresh", "character_threshold"]
    assert PARAMETERS["thresh"]["step"] == 0.01
    assert widgets["float"] == ["general_threshold", "max_megapixels"]  # a slider cannot be empty
    assert "generation_model" in widgets["select"]
    assert "builtin/colours" in PARAMETERS["generation_model"]["options"]
    assert {PARAMETERS[key]["type"] for key in widgets["switch"]} == {"bool"}
    assert {PARAMETERS[key]["type"] for key in widgets["select"]} == {"enum"}


def test_its_values_are_the_defaults() -> None:
    values = {key: parameter["default"] for key, parameter in PARAMETERS.items()}
    assert CaptionConfig.from_values(values) == CaptionConfig()
    assert CaptionConfig.from_values({key: str(value) for key, value in values.items()}) == CaptionConfig()


@pytest.mark.parametrize("key", [key for key, parameter in PARAMETERS.items() if {"min", "max"} & set(parameter)])
def test_the_form_takes_the_default_and_refuses_what_the_config_refuses(key: str) -> None:
    parameter = PARAMETERS[key]
    as_number = parameter["default"] or 0  # the form takes an empty field for 0, and sends it as it is
    assert parameter.get("min", 0) <= as_number <= parameter.get("max", as_number)
    for bound, step in (("min", -1), ("max", 1)):
        if bound in parameter:
            assert CaptionConfig.from_values({key: parameter[bound]})
            with pytest.raises(ConfigError, match="allowed"):
                CaptionConfig.from_values({key: parameter[bound] + step})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A job's folder, with a Python that says where it was started and with what, and then fails."""
    (tmp_path / "home").mkdir()
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python3"
    python.write_text('#!/bin/sh\necho "$(pwd) $*"\nexit 3\n')
    python.chmod(0o755)
    return tmp_path / "home"


def start(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """As the host starts it."""
    return subprocess.run(
        ["/bin/bash", "-c", f"set -e -o pipefail; {command}" if "setup.sh" in command else command],
        capture_output=True,
        text=True,
        cwd=home,
        env={"PATH": f"{home.parent / 'bin'}:/usr/bin:/bin"},
        check=False,
    )


@pytest.mark.parametrize("folder", ["", "wd14_captioner"])
def test_the_code_is_found_uploaded_and_cloned(home: Path, folder: str) -> None:
    code = home / folder
    code.mkdir(exist_ok=True)
    (code / "main.py").touch()
    (code / "setup.sh").write_text("pwd")
    assert start(TASK["setup"], home).stdout == f"{code}\n"
    done = start(TASK["run"], home)
    assert done.stdout == f"{code} main.py --task\n"
    assert done.returncode == 3  # a job that fails must not look like one that does not
    assert choose_host(["--task"], {}) == "lab"


def test_the_python_that_setup_chose_runs_the_job(home: Path) -> None:
    (home / "main.py").touch()
    own = shutil.copy(home.parent / "bin" / "python3", home / "newer python")
    Path(own).write_text("#!/bin/sh\necho newer\n")
    (home / ".python").write_text(f"{own}\n")
    assert start(TASK["run"], home).stdout == "newer\n"


def test_where_setup_starts_elsewhere_the_sdks_note_says_where_the_code_is(home: Path, tmp_path: Path) -> None:
    note = "/tmp/.tfl_task_workdir"
    assert note in TASK["setup"]
    (home / "setup.sh").write_text("pwd")
    (tmp_path / "note").write_text(str(home))
    done = start(TASK["setup"].replace(note, str(tmp_path / "note")), tmp_path)
    assert done.stdout == f"{home}\n"


def make_task(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts" / "task"), *words], capture_output=True, text=True, cwd=folder, check=False
    )


def test_the_uploaded_folder_has_what_a_job_needs_and_no_more(tmp_path: Path) -> None:
    assert make_task("my task", folder=tmp_path).returncode == 0
    made = tmp_path / "my task"
    assert sorted(path.name for path in made.iterdir()) == ["LICENSE", "main.py", "setup.sh", "task.yaml", "wd14"]
    assert not [path for path in made.rglob("*") if path.name == "__pycache__" or path.suffix == ".pyc"]
    assert not list(made.rglob("index.json"))  # one at the top would replace the host's own
    for source in (ROOT / "wd14").rglob("*"):
        if source.is_file() and "__pycache__" not in source.parts:
            assert (made / source.relative_to(ROOT)).read_bytes() == source.read_bytes()
    subprocess.run([sys.executable, str(made / "main.py"), "--version"], cwd=made, check=True, capture_output=True)


@pytest.mark.parametrize("there", ["folder", "file"])
def test_what_is_there_already_is_left_alone(tmp_path: Path, there: str) -> None:
    place = tmp_path / "place"
    if there == "folder":
        place.mkdir()
        (place / "mine").write_text("mine")
    else:
        place.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = make_task("place", folder=tmp_path)
    assert done.returncode == 1
    assert "place is there already; expected a new folder or an empty one" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert make_task(folder=tmp_path).returncode == 2
