"""`task.yaml`: offers every parameter with its default, and starts `main.py` as a task."""

from __future__ import annotations

from pathlib import Path

import yaml  # type: ignore[import-untyped,unused-ignore]

from wd14.config import CaptionConfig
from wd14.hosts import choose_host
from wd14.hosts.transformer_lab import DATASET_KEYS, NOT_ON_A_HOST

ROOT = Path(__file__).parents[3]
TASK = yaml.safe_load((ROOT / "task.yaml").read_text("utf-8"))
#: All that the host's schema knows; it refuses a task with another key.
KNOWN = {"name", "resources", "envs", "setup", "run", "parameters", "github_repo_url", "github_repo_dir"}


def test_it_has_only_keys_that_the_host_knows() -> None:
    assert set(TASK) <= KNOWN
    assert isinstance(TASK["name"], str)
    assert set(TASK["resources"]) <= {"cpus", "memory", "disk_space", "accelerators"}
    assert all(isinstance(value, str) for value in TASK["envs"].values())


def test_it_offers_every_parameter_that_makes_sense_on_a_host() -> None:
    assert list(TASK["parameters"]) == [
        DATASET_KEYS[0],
        *(key for key in CaptionConfig.model_fields if key not in NOT_ON_A_HOST),
    ]


def test_its_values_are_the_defaults() -> None:
    assert CaptionConfig.from_values(TASK["parameters"]) == CaptionConfig()
    as_strings = {key: str(value) for key, value in TASK["parameters"].items()}
    assert CaptionConfig.from_values(as_strings) == CaptionConfig()


def test_it_runs_main_as_a_task() -> None:
    assert TASK["setup"] == "bash setup.sh"
    python, script, *argv = TASK["run"].split()
    assert python == "python"
    assert (ROOT / script).is_file()
    assert choose_host(argv, {}) == "lab"
