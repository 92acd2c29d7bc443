"""Datasets of the current host's workspace: which one a name means, and saving all of one or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab_sdk import CoroutineStorage, Lab, SynchronousStorage
from wd14.errors import JobStoppedError, OutputError, SourceNotFoundError
from wd14.hosts.lab.datasets import WorkspaceDatasets
from wd14.hosts.lab.storage import Storage
from wd14.stop import StopToken


class Desk:
    """A workspace's datasets on a disk; in a bucket with a `scheme`."""

    def __init__(self, home: Path, scheme: str = "", sdk: Any = None) -> None:
        self.folder = home / "datasets"
        self.downloads = home / "downloads"
        self.stop = StopToken()
        self.lines: list[str] = []
        self.lab = Lab(self.folder, {})
        place = scheme + str(self.folder).lstrip("/") if scheme else str(self.folder)
        storage = Storage(sdk or SynchronousStorage(scheme))
        self.takes_folders = True
        self._more = (storage, place, self.stop, self.lines.append)

    @property
    def datasets(self) -> WorkspaceDatasets:
        return WorkspaceDatasets(self.lab, *self._more, takes_folders=self.takes_folders)

    def add(self, name: str, index: object = None, *, made_by_us: bool = False) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(b"picture")
        if made_by_us:
            (folder / ".wd14").mkdir()
            (folder / ".wd14" / "provenance.json").write_text('{"made_by": "wd14-captioner 1.0"}')
        if index is not None:
            (folder / "index.json").write_text(json.dumps(index))
        return folder

    def open(self, name: str) -> str | Path:
        return self.datasets.open(name, self.downloads).source


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def make_output(home: Path) -> Path:
    folder = home / "done" / "captions"
    for hidden in (".wd14", "train"):
        (folder / hidden).mkdir(parents=True)
    (folder / "train" / "a.png").write_bytes(b"picture")
    (folder / ".wd14" / "report.json").write_text("{}")
    (folder / "train" / "metadata.jsonl").write_text('{"file_name": "a.png", "caption": "red"}\n')
    return folder


@pytest.mark.parametrize(
    ("name", "folder", "title"),
    [
        ("my-pics", "my-pics", "my-pics"),
        ("My Pics", "my-pics", "my-pics"),
        ("owner/name", "owner_name", "owner_name"),
        ("group", "group/v10", "group"),  # 10 is newer than 9
        ("group/v9", "group/v9", "group"),
        ("group-and-index", "group-and-index/v1", "group-and-index"),  # the host's preview adds the index
    ],
)
def test_a_name_means_a_folder_of_the_workspace(desk: Desk, name: str, folder: str, title: str) -> None:
    for each in ("my-pics", "owner_name", "group/v9", "group/v10", "group/vx", "group-and-index/v1"):
        desk.add(each)
    (desk.folder / "group-and-index" / "index.json").write_text('{"location": "local"}')
    found = desk.datasets.open(name, desk.downloads)
    assert found.source == desk.folder / folder
    assert found.name == title  # the result is named after it


def test_a_result_that_was_saved_as_a_version_is_not_the_groups_source(desk: Desk) -> None:
    desk.add("group/v1")
    desk.add("group/v2")
    desk.add("group/v3", made_by_us=True)
    desk.add("group/v4", {"location": "local", "json_data": {"generated": True}})
    assert desk.open("group") == desk.folder / "group" / "v2"
    assert desk.lines == ["Version of group: v2, the newest that is not a result of this captioner (v4, v3)."]
    assert desk.open("group/v3") == desk.folder / "group" / "v3"  # named all the same, it is meant
    desk.add("results/v1", made_by_us=True)
    desk.add("results/v2", made_by_us=True)
    assert desk.open("results") == desk.folder / "results" / "v2"


@pytest.mark.parametrize("scheme", ["", "s3://"])
def test_pictures_beside_their_results_are_read_without_them(tmp_path: Path, scheme: str) -> None:
    """`lab dataset upload` makes a flat dataset; the page can save a result as a version of it."""
    desk = Desk(tmp_path, scheme)
    (desk.add("pics", {"location": "local"}) / "sub").mkdir()
    (desk.folder / "pics" / "sub" / "b.png").write_bytes(b"picture")
    desk.add("pics/v1", made_by_us=True)
    found = desk.datasets.open("pics", desk.downloads)
    files = sorted(path.relative_to(found.source).as_posix() for path in Path(found.source).rglob("*.png"))
    assert files == ["a.png", "sub/b.png"]
    assert (Path(found.source).name, found.name) == ("pics", "pics")
    assert (desk.folder / "pics" / "v1" / "a.png").is_file()
    assert "Of pics, its versions are left out: they are results of this captioner." in desk.lines


def test_a_dataset_of_the_hub_is_its_id(desk: Desk) -> None:
    desk.add("owner_name", {"dataset_id": "owner/name", "location": "huggingface"})
    assert desk.open("owner_name") == "owner/name"
    assert desk.open("someone/else") == "someone/else"


@pytest.mark.parametrize("index", [[], "x", {"dataset_id": "a/b"}, {"location": "local"}])
def test_only_the_location_makes_it_a_dataset_of_the_hub(desk: Desk, index: object) -> None:
    folder = desk.add("pics", index)
    assert desk.open("pics") == folder


def test_a_path_of_this_machine_works_too(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert desk.open(str(tmp_path / "elsewhere")) == tmp_path / "elsewhere"
    assert desk.open("~/elsewhere") == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    "name", ["gone", "../secret", "./gone", "/group/v1", "~/gone", "group/v1/deeper", "group/../secret"]
)
def test_an_unknown_dataset_is_an_error_that_lists_the_known(desk: Desk, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").mkdir()
    for each in ("pics", "group/v1", "group/v1/deeper"):
        desk.add(each)
    desk.add(".hidden")
    with pytest.raises(SourceNotFoundError, match=r"there are: group, pics\. A folder's path, or a hub id owner/name,"):
        desk.open(name)


def test_a_dataset_in_a_bucket_is_downloaded(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "s3://")
    desk.add("group/v1")
    folder = desk.open("group/v1")
    assert folder == desk.downloads / "group"
    assert [path.name for path in folder.iterdir()] == ["a.png"]
    assert desk.lines == [f"Downloading the dataset from s3://{str(desk.folder)[1:]}/group/v1"]


@pytest.mark.parametrize("takes_folders", [True, False])
def test_a_dataset_is_saved_under_the_first_free_name(desk: Desk, tmp_path: Path, takes_folders: bool) -> None:
    desk.takes_folders = takes_folders
    for name in ("captions", "captions-2", "captions_2"):
        desk.add(name)
    saved = Path(desk.datasets.save(make_output(tmp_path), 1))
    assert saved == desk.folder / ("captions_3" if takes_folders else "captions-3")
    # No metadata at the top, where the host's trainers would look for the pictures beside it.
    assert sorted(path.name for path in saved.iterdir()) == [".wd14", "train"]
    assert (saved / ".wd14" / "report.json").is_file()
    assert json.loads((saved / "train" / "metadata.jsonl").read_text()) == {"file_name": "a.png", "caption": "red"}
    assert [path.name for path in (desk.folder / "captions").iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("problem", "raised", "words"),
    [
        (JobStoppedError("stopped"), JobStoppedError, "stopped"),
        (KeyboardInterrupt(), KeyboardInterrupt, "^$"),
        (OSError(28, "No space left on device"), OutputError, "did not take the dataset: The disk is full"),
    ],
)
def test_of_a_dataset_that_is_not_saved_nothing_is_left(
    tmp_path: Path, problem: BaseException, raised: type[BaseException], words: str
) -> None:
    class Full(CoroutineStorage):
        async def copy_file(self, source: str, target: str) -> None:
            raise problem

    desk = Desk(tmp_path, "s3://", Full("s3://"))
    # The SDK's place is on the disk in this stand-in; make it the bucket's.
    save = desk.lab.save_artifact
    desk.lab.save_artifact = lambda *a, **k: "s3://" + save(*a, **k)[1:]  # type: ignore[method-assign]
    if isinstance(problem, JobStoppedError):
        desk.stop.request()
    with pytest.raises(raised, match=words):
        desk.datasets.save(make_output(tmp_path), 1)
    assert list(desk.folder.iterdir()) == []


def test_a_rest_that_cannot_be_removed_is_said(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise OSError("locked")

    monkeypatch.setattr(SynchronousStorage, "rm_tree", locked)
    desk.stop.request()
    with pytest.raises(JobStoppedError):
        desk.datasets.save(make_output(tmp_path), 1)
    (line,) = desk.lines
    assert "captions could not be removed (OSError: locked)" in line
