"""The workspace's storage through the `lab` SDK: a disk, or a bucket (s3, gs, abfs).

The SDK's functions are synchronous up to 0.0.45 and coroutines from 0.0.53 on; here all are synchronous.
"""

from __future__ import annotations

import asyncio
import inspect
import shutil
from collections.abc import Collection, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

from wd14.stop import StopToken

T = TypeVar("T")

#: Files copied at once to or from a bucket; each one mostly waits.
_FILES_AT_ONCE = 8


def result_of(value: T | Coroutine[Any, Any, T]) -> T:
    """What a function of the SDK returned, whether it is a coroutine or not."""
    if inspect.iscoroutine(value):
        return cast("T", asyncio.run(value))
    return cast("T", value)


class Storage:
    """Files of the workspace. A place is a path, or a URL such as `s3://bucket/folder`.

    Args:
        sdk: the module `lab.storage`.
    """

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk

    def is_dir(self, place: str) -> bool:
        """Whether a folder exists."""
        return bool(result_of(self._sdk.isdir(place)))

    def read_text(self, place: str) -> str:
        """A text file's content.

        Raises:
            OSError: it cannot be read.
        """

        async def read() -> str:
            async with await self._sdk.open(place, "r", encoding="utf-8") as file:
                return str(await file.read())

        if inspect.iscoroutinefunction(self._sdk.open):
            return asyncio.run(read())
        with self._sdk.open(place, "r", encoding="utf-8") as file:
            return str(file.read())

    def names(self, place: str) -> list[str]:
        """Names in a folder, sorted; none where the folder does not exist."""
        if not self.is_dir(place):
            return []
        return sorted(str(path).rstrip("/").rsplit("/", 1)[-1] for path in result_of(self._sdk.ls(place)))

    def remove(self, place: str) -> None:
        """Removes a file, or a folder and what is in it."""
        result_of(self._sdk.rm_tree(place))

    def download(self, place: str, folder: Path, stop: StopToken, without: Collection[str] = ()) -> None:
        """Copies a folder of the workspace to `folder` on this machine.

        Args:
            place: the folder.
            folder: where its files go.
            stop: ends it, between files.
            without: names in the folder that are left out.

        Raises:
            JobStoppedError: the job is to stop; checked between files.
        """
        scheme, _, root = place.rpartition("://")
        pairs = []
        for found in result_of(self._sdk.find(place)):  # a bucket's paths come without the `s3://`
            name = str(found).removeprefix(f"{scheme}://").removeprefix(root).strip("/")
            target = folder / name
            if name.partition("/")[0] in without:
                continue
            if not target.resolve().is_relative_to(folder.resolve()):
                continue  # a key such as `a/../../b` leads out of the folder
            target.parent.mkdir(parents=True, exist_ok=True)
            pairs.append((f"{place}/{name}", str(target)))
        self._copy(pairs, stop)

    def upload(self, folder: Path, place: str, stop: StopToken) -> None:
        """Brings a folder of this machine into the workspace; on a disk its files are moved instead of copied.

        Raises:
            JobStoppedError: the job is to stop; checked between files.
        """
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        pairs = [(str(file), f"{place}/{file.relative_to(folder).as_posix()}") for file in files]
        if "://" in place:
            self._copy(pairs, stop)
            return
        for source, target in pairs:
            stop.check()
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)

    def _copy(self, pairs: list[tuple[str, str]], stop: StopToken) -> None:
        for first in range(0, len(pairs), _FILES_AT_ONCE):
            stop.check()
            batch = pairs[first : first + _FILES_AT_ONCE]
            if inspect.iscoroutinefunction(self._sdk.copy_file):
                asyncio.run(self._copy_batch(batch))
                continue
            for source, target in batch:  # the synchronous `copy_file` does not know the bucket's credentials
                with self._open(source, "rb") as reading, self._open(target, "wb") as writing:
                    shutil.copyfileobj(reading, writing, 1 << 20)

    async def _copy_batch(self, pairs: list[tuple[str, str]]) -> None:
        await asyncio.gather(*(self._sdk.copy_file(source, target) for source, target in pairs))

    def _open(self, place: str, mode: str) -> Any:
        return self._sdk.open(place, mode) if "://" in place else Path(place).open(mode)
