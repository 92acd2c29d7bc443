"""The parameters that the classic host gives: strings on the command line, typed values in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.classic_sdk import command_line
from wd14.config import CaptionConfig
from wd14.hosts.plugin.arguments import job_values, sdk_arguments


def input_file(folder: Path, config: Mapping[str, Any]) -> Path:
    path = folder / "plugin_input.json"
    path.write_text(json.dumps({"experiment": {}, "config": config}), "utf-8")
    return path


def test_typed_values_are_taken_from_the_input_file(tmp_path: Path) -> None:
    config = {
        "thresh": 0.35,
        "cache": False,
        "undesired_tags": ["a", "b"],
        "batch_size": None,
        "trigger_words": "--x, y",
    }
    values = job_values(command_line(config, input_file(tmp_path, config)))
    assert {key: values[key] for key in config} == config
    assert values["job_id"] == "1"


def test_without_the_input_file_strings_mean_the_same(tmp_path: Path) -> None:
    config = {
        "thresh": 0.5,
        "cache": False,
        "undesired_tags": ["a", "b"],
        "batch_size": None,
        "caption_separator": ", ",
        "general_threshold": "",
    }
    typed = CaptionConfig.from_values(job_values(command_line(config, input_file(tmp_path, config))))
    strings = CaptionConfig.from_values(job_values(command_line(config)))
    assert typed == strings
    assert strings.undesired_tags == ("a", "b")
    assert strings.cache is False
    assert strings.general_threshold is None


@pytest.mark.parametrize(
    ("content", "said"),
    [("", True), ("{", True), ("[]", False), ('{"config": 3}', False), ('{"experiment": {}}', False)],
)
def test_a_damaged_input_file_is_ignored(
    tmp_path: Path, content: str, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "input.json"
    path.write_text(content, "utf-8")
    assert job_values(command_line({"thresh": 0.5}, path))["thresh"] == "0.5"
    assert ("cannot be read" in capsys.readouterr().out) is said


@pytest.mark.parametrize("key", ["dataset_name", "thresh"])
def test_another_jobs_input_file_is_ignored(tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    ours = {"dataset_name": "ours", "thresh": 0.5, "template_name": "a"}
    values = job_values(command_line(ours, input_file(tmp_path, {**ours, key: 0.7, "template_name": "b"})))
    assert values["thresh"] == "0.5"
    assert values["dataset_name"] == "ours"
    assert f"another job's ({key} differ)" in capsys.readouterr().out


def test_the_sdk_sees_only_options_that_it_knows() -> None:
    config = {"dataset_name": "my pics", "mode": "x", "model": "y", "generation_model": "m", "note": "--run"}
    assert sdk_arguments(command_line(config)) == [
        "--dataset_name=my pics",
        "--generation_model=m",
        "--experiment_name=alpha",
        "--job_id=1",
    ]


def test_a_key_without_a_value_is_left_out() -> None:
    assert job_values(["--thresh", "--note", "x", "--cache"]) == {"note": "x"}
