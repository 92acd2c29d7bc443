"""The workspace's storage, with an SDK of either kind: synchronous and of coroutines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab_sdk import CoroutineStorage, SynchronousStorage
from wd14.errors import JobStoppedError
from wd14.hosts.lab.storage import Storage, result_of
from wd14.stop import StopToken

KINDS = pytest.mark.parametrize("kind", [SynchronousStorage, CoroutineStorage])


class StopAfterTwoLooks(StopToken):
    looks = 0

    @property
    def reason(self) -> str | None:
        self.looks += 1
        return "stop" if self.looks > 2 else None


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / ".wd14").mkdir(parents=True)
    for number in range(20):
        (made / f"{number}.png").write_bytes(bytes([number]) * 10)
    (made / ".wd14" / "report.json").write_text("{}")
    return made


@KINDS
@pytest.mark.parametrize("scheme", ["", "s3://"])
def test_a_dataset_is_uploaded_and_downloaded_whole(
    folder: Path, tmp_path: Path, kind: Callable[[str], Any], scheme: str
) -> None:
    before = files_in(folder)
    storage = Storage(kind(scheme))
    place = (scheme + str(tmp_path).lstrip("/") if scheme else str(tmp_path)) + "/bucket/set"
    storage.upload(folder, place, StopToken())
    assert storage.is_dir(place)
    assert storage.names(place) == sorted([".wd14", *(f"{number}.png" for number in range(20))])
    assert storage.read_text(f"{place}/.wd14/report.json") == "{}"
    storage.download(place, tmp_path / "down", StopToken())
    assert files_in(tmp_path / "down") == before
    storage.remove(place)
    assert not storage.is_dir(place)
    assert storage.names(place) == []


def test_on_a_disk_files_are_moved_and_replace_the_sdks(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "0.png").write_bytes(b"old")
    number = (folder / "0.png").stat().st_ino
    Storage(SynchronousStorage()).upload(folder, str(tmp_path / "set"), StopToken())
    assert (tmp_path / "set" / "0.png").stat().st_ino == number
    assert files_in(folder) == {}


@KINDS
@pytest.mark.parametrize("scheme", ["", "s3://"])
def test_a_stop_ends_an_upload_between_files(
    folder: Path, tmp_path: Path, kind: Callable[[str], Any], scheme: str
) -> None:
    place = f"{scheme}{tmp_path}/bucket/set"
    with pytest.raises(JobStoppedError):
        Storage(kind(scheme)).upload(folder, place, StopAfterTwoLooks())
    assert 0 < len(list((tmp_path / "bucket").rglob("*.png"))) < 20


def test_a_stop_ends_a_download_between_files(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(JobStoppedError):
        Storage(CoroutineStorage("s3://")).download(f"s3://{str(folder)[1:]}", tmp_path / "down", StopAfterTwoLooks())
    assert 0 < len(list((tmp_path / "down").rglob("*.png"))) < 20


def test_a_few_files_are_copied_at_once(folder: Path, tmp_path: Path) -> None:
    sdk = CoroutineStorage("s3://")
    Storage(sdk).upload(folder, f"s3://{str(tmp_path)[1:]}/bucket/set", StopToken())
    assert sdk.most_at_once == 8


def test_keys_that_lead_out_of_the_folder_are_left_out(tmp_path: Path) -> None:
    class Sly(SynchronousStorage):
        def find(self, place: str) -> list[str]:
            return ["bucket/set/a.png", "bucket/set/../../../evil.png"]

        def open(self, place: str, mode: str = "r", **more: Any) -> Any:
            return (tmp_path / "object").open(mode, **more)

    (tmp_path / "object").write_bytes(b"x")
    Storage(Sly("s3://")).download("s3://bucket/set", tmp_path / "a" / "b" / "down", StopToken())
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["a.png"]


def test_a_value_and_a_coroutine_give_the_same() -> None:
    async def later() -> int:
        return 3

    assert result_of(3) == 3
    assert result_of(later()) == 3  # type: ignore[arg-type]  # mypy takes the literal for the coroutine's type
