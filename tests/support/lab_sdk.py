"""A stand-in for the `lab` SDK of the current host: storage of both kinds, and the facade `lab.lab`."""

from __future__ import annotations

import asyncio
import shutil
import sys
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class SynchronousStorage:
    """`lab.storage` up to 0.0.45. With a `scheme`, such as `s3://`, its paths look like a bucket's."""

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
        plain = self._plain(place)
        if plain.is_file():
            plain.unlink()
        else:
            shutil.rmtree(plain)

    def open(self, place: str, mode: str = "r", **more: Any) -> Any:
        path = self._plain(place)
        if "w" in mode:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode, **more)

    def copy_file(self, source: str, target: str) -> None:
        raise AssertionError("does not know the bucket's credentials")


class _Opened:
    def __init__(self, file: Any) -> None:
        self._file = file

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._file.close()

    async def read(self) -> Any:
        return self._file.read()


class CoroutineStorage:
    """`lab.storage` from 0.0.53 on."""

    def __init__(self, scheme: str = "") -> None:
        self._inner = SynchronousStorage(scheme)
        self.most_at_once = 0
        self._at_once = 0

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
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        with self._inner.open(source, "rb") as reading, self._inner.open(target, "wb") as writing:
            shutil.copyfileobj(reading, writing)
        self._at_once -= 1


class Job:
    """The job's record."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.status = "RUNNING"

    async def log_info(self, message: str) -> None:
        """Its being a coroutine tells the SDKs apart."""

    async def get_job_data(self) -> dict[str, Any]:
        return self.data

    async def update_job_data_field(self, key: str, value: Any) -> None:
        self.data[key] = value

    async def set_error_message(self, message: str) -> None:
        self.data["error_msg"] = message

    async def update_status(self, status: str) -> None:
        self.status = status


class Lab:
    """The facade, over datasets in a folder on the disk.

    Args:
        datasets: where `save_dataset` writes.
        data: the job's data.
    """

    def __init__(self, datasets: Path, data: dict[str, Any]) -> None:
        self._datasets = datasets
        self.job = Job(data)
        self.experiment: str | None = None
        self.reports: list[tuple[int, dict[str, Any]]] = []
        self.lines: list[str] = []
        self.artifacts: list[tuple[str, str | None]] = []
        self.ended: tuple[str, Any] | None = None
        self.failures = 0  #: how many of the next calls fail

    def _fail_now_and_then(self) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("503 Slow Down")

    def init(self, experiment_id: str | None = None) -> None:
        self.experiment = experiment_id

    def log(self, line: str) -> None:
        self.lines.append(line)

    def update_progress(self, percent: int, metrics: dict[str, Any]) -> None:
        self._fail_now_and_then()
        self.reports.append((percent, metrics))

    def save_dataset(self, frame: Any, dataset_id: str, *, is_image: bool) -> str:
        """Of the SDKs that take no folders."""
        assert is_image
        folder = self._datasets / dataset_id
        if folder.exists():
            raise FileExistsError(dataset_id)
        folder.mkdir(parents=True)
        frame.to_json(folder / "metadata.jsonl", orient="records", lines=True)
        return str(folder / "metadata.jsonl")

    def save_artifact(self, path: str, name: str, type: str | None = None) -> str:  # noqa: A002 - the SDK's name
        self._fail_now_and_then()
        if type != "dataset":
            assert Path(path).is_file()
            self.artifacts.append((name, type))
            return path
        folders = (self._datasets / (name if number == 1 else f"{name}_{number}") for number in count(1))
        return str(shutil.copytree(path, next(folder for folder in folders if not folder.exists())))

    def finish(self, message: str, score: dict[str, float]) -> None:
        self._fail_now_and_then()
        self.ended = (message, score)

    def error(self, message: str) -> None:
        self._fail_now_and_then()
        self.job.status = "FAILED"
        self.ended = (message, None)


def install(monkeypatch: pytest.MonkeyPatch, workspace: Path, data: dict[str, Any]) -> Lab:
    """Makes the SDK importable, over a workspace on the disk."""
    for name in ("datasets", "temp"):
        (workspace / name).mkdir(parents=True)
    facade = Lab(workspace / "datasets", data)
    module = ModuleType("lab")
    module.lab = facade  # type: ignore[attr-defined]
    module.storage = CoroutineStorage()  # type: ignore[attr-defined]
    module.dirs = SimpleNamespace(  # type: ignore[attr-defined]
        get_workspace_dir=lambda: str(workspace),
        get_datasets_dir=lambda: str(workspace / "datasets"),
        get_temp_dir=lambda: str(workspace / "temp"),
    )
    monkeypatch.setitem(sys.modules, "lab", module)
    return facade
