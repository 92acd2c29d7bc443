"""The workspace's storage, with an SDK of either kind: synchronous and of coroutines."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wd14.errors import JobStoppedError
from wd14.hosts.lab.storage import Storage, now
from wd14.stop import StopToken


class Synchronous:
    """`lab.storage` up to 0.0.45, on a disk; `scheme` in front of a path makes it look like a bucket's."""

    def __init__(self, scheme: str = "") -> None:
        self.scheme = scheme

    def _plain(self, place: str) -> Path:
        return Path("/" + place.removeprefix(self.scheme).lstrip("/"))

    def isdir(self, place: str) -> bool:
        return self._plain(place).is_dir()

    def ls(self, place: str) -> list[str]:
        return [str(path) for path in self._plain(place).iterdir()]

    def find(self, place: str) -> list[str]:
        found = [str(path) for path in sorted(self._plain(place).rglob("*")) if path.is_file()]
        return [path.lstrip("/") for path in found] if self.scheme else found  # buckets answer without the scheme

    def rm_tree(self, place: str) -> None:
        shutil.rmtree(self._plain(place))

    def open(self, place: str, mode: str = "r", **more: Any) -> Any:
        path = self._plain(place)
        if "w" in mode:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode, **more)

    def copy_file(self, source: str, target: str) -> None:
        raise AssertionError("knows nothing of the storage's credentials")


class _Opened:
    def __init__(self, file: Any) -> None:
        self._file = file

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._file.close()

    async def read(self) -> Any:
        return self._file.read()


class Coroutines:
    """`lab.storage` from 0.0.53 on."""

    def __init__(self, scheme: str = "") -> None:
        self._inner = Synchronous(scheme)

    async def isdir(self, place: str) -> bool:
        return self._inner.isdir(place)

    async def ls(self, place: str) -> list[str]:
        return self._inner.ls(place)

    async def find(self, place: str) -> list[str]:
        return self._inner.find(place)

    async def rm_tree(self, place: str) -> None:
        self._inner.rm_tree(place)

    async def open(self, place: str, mode: str = "r", **more: Any) -> _Opened:
        return _Opened(self._inner.open(place, mode, **more))

    async def copy_file(self, source: str, target: str) -> None:
        await asyncio.sleep(0)
        with self._inner.open(source, "rb") as reading, self._inner.open(target, "wb") as writing:
            shutil.copyfileobj(reading, writing)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / ".wd14").mkdir(parents=True)
    for number in range(20):
        (made / f"{number}.png").write_bytes(bytes([number]) * 10)
    (made / ".wd14" / "report.json").write_text("{}")
    return made


@pytest.mark.parametrize("kind", [Synchronous, Coroutines])
@pytest.mark.parametrize("scheme", ["", "s3://"])
def test_a_dataset_goes_up_and_comes_down_whole(
    folder: Path, tmp_path: Path, kind: Callable[[str], Any], scheme: str
) -> None:
    before = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    storage = Storage(kind(scheme))
    place = (scheme + str(tmp_path).lstrip("/") if scheme else str(tmp_path)) + "/bucket/set"
    storage.upload(folder, place, StopToken())
    assert storage.is_dir(place)
    assert "0.png" in storage.names(place)
    assert storage.read_text(f"{place}/.wd14/report.json") == "{}"
    down = tmp_path / "down"
    storage.download(place, down, StopToken())
    assert {str(path.relative_to(down)): path.read_bytes() for path in down.rglob("*") if path.is_file()} == before
    storage.remove(place)
    assert not storage.is_dir(place)
    assert storage.names(place) == []


@pytest.mark.parametrize("kind", [Synchronous, Coroutines])
def test_a_stop_is_obeyed_between_files(folder: Path, tmp_path: Path, kind: Callable[[str], Any]) -> None:
    class StopSoon(StopToken):
        looks = 0

        @property
        def reason(self) -> str | None:
            self.looks += 1
            return "stop" if self.looks > 2 else None

    with pytest.raises(JobStoppedError):
        Storage(kind("s3://")).upload(folder, f"s3://{tmp_path}/bucket/set", StopSoon())
    assert len(list((tmp_path / "bucket").rglob("*.png"))) < 20


def test_keys_that_lead_out_of_the_folder_stay_where_they_are(tmp_path: Path) -> None:
    class Sly(Synchronous):
        def find(self, place: str) -> list[str]:
            return [f"{place}/a.png", f"{place}/../../../evil.png"]

        def open(self, place: str, mode: str = "r", **more: Any) -> Any:
            return super().open(str(tmp_path / "object"), mode, **more)

    (tmp_path / "object").write_bytes(b"x")
    Storage(Sly()).download("/bucket/set", tmp_path / "a" / "b" / "down", StopToken())
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["a.png"]


def test_a_value_and_a_coroutine_give_the_same() -> None:
    async def later() -> int:
        return 3

    assert now(3) == 3
    assert now(later()) == 3  # type: ignore[arg-type]  # mypy takes the literal for the coroutine's type
