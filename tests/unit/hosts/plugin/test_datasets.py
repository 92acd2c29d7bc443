"""Datasets of the classic host's workspace: which one a name means, and what registers a new one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wd14.errors import SourceNotFoundError
from wd14.hosts.plugin.datasets import find_dataset, registration
from wd14.types import Summary


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    folder = tmp_path / "datasets"
    for name, index in {
        "my-pics": {"dataset_id": "my-pics", "location": "local"},
        "owner_name": {"dataset_id": "owner/name", "location": "huggingface"},
        "no-location": {"dataset_id": "owner/other"},
    }.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "index.json").write_text(json.dumps(index))
    (folder / "bare").mkdir()
    (folder / "bare" / "a.png").write_bytes(b"")
    (folder / "torn").mkdir()
    (folder / "torn" / "index.json").write_text("{")
    (folder / "torn" / "a.png").write_bytes(b"")
    (folder / ".hidden").mkdir()
    (folder / "a-file").write_text("")
    (tmp_path / "secret").mkdir()
    return folder


@pytest.mark.parametrize("name", ["my-pics", "My Pics", "bare", "torn"])
def test_a_local_dataset_is_its_folder(datasets: Path, name: str) -> None:
    expected = "my-pics" if name == "My Pics" else name
    assert find_dataset(datasets, name) == datasets / expected


@pytest.mark.parametrize(("name", "hub_id"), [("owner/name", "owner/name"), ("no-location", "owner/other")])
def test_a_hub_dataset_is_its_id(datasets: Path, name: str, hub_id: str) -> None:
    assert find_dataset(datasets, name) == hub_id


@pytest.mark.parametrize("name", ["gone", "../secret", "..", ".", "/etc", "my-pics/../../secret"])
def test_an_unknown_dataset_is_an_error_that_lists_the_known(datasets: Path, name: str) -> None:
    with pytest.raises(SourceNotFoundError, match=r"there are: bare, my-pics, no-location, owner_name, torn\.$"):
        find_dataset(datasets, name)


def test_a_workspace_without_datasets(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="there are none"):
        find_dataset(tmp_path / "datasets", "x")


def test_the_host_lists_what_is_registered_as_generated() -> None:
    summary = Summary(
        total=4,
        captioned=2,
        from_scores=1,
        failed=1,
        seconds=1.0,
        output="x",
        model="owner/tagger",
        thresholds="by mcut",
    )
    ((name, text),) = registration("pics_captions-2", summary, 1234).items()
    assert name == "index.json"
    assert json.loads(text) == {
        "dataset_id": "pics_captions-2",
        "location": "local",
        "description": "3 of 4 pictures, tagger, by mcut",
        "size": 1234,
        "json_data": {"generated": True, "files": ["train/metadata.jsonl"], "sample_count": 3},
    }
