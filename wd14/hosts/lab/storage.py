"""The workspace's storage through the `lab` SDK: a disk, or a bucket (s3, gs, abfs).

The SDK's functions are synchronous up to 0.0.45 and coroutines from 0.0.53 on; here all are synchronous.
"""

from __future__ import annotations

import asyncio
import inspect
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

from wd14.stop import StopToken

T = TypeVar("T")

#: Files that are under way at once to or from a bucket, where each one is mostly waiting.
_AT_ONCE = 8


def now(value: T | Coroutine[Any, Any, T]) -> T:
    """`value`, or what it gives once awaited."""
    if inspect.iscoroutine(value):
        return cast("T", asyncio.run(value))
    return cast("T", value)


class Storage:
    """Files of the workspace.

    Args:
        storage: the module `lab.storage`.
    """

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def is_dir(self, place: str) -> bool:
        """Whether there is a folder."""
        return bool(now(self._storage.isdir(place)))

    def read_text(self, place: str) -> str:
        """A small text file.

        Raises:
            OSError: as the storage says.
        """

        async def read() -> str:
            async with await self._storage.open(place, "r", encoding="utf-8") as file:
                return str(await file.read())

        if inspect.iscoroutinefunction(self._storage.open):
            return asyncio.run(read())
        with self._storage.open(place, "r", encoding="utf-8") as file:
            return str(file.read())

    def names(self, place: str) -> list[str]:
        """Names in a folder; none where there is no folder."""
        if not self.is_dir(place):
            return []
        found = now(self._storage.ls(place))
        return sorted(str(each).rstrip("/").rsplit("/", 1)[-1] for each in found)

    def remove(self, place: str) -> None:
        """Removes a folder and what is in it."""
        now(self._storage.rm_tree(place))

    def download(self, place: str, folder: Path, stop: StopToken) -> None:
        """Copies a folder of the workspace to this machine.

        Args:
            place: the folder in the workspace.
            folder: where to; made if need be.
            stop: ends the copying between two files.
        """
        found = [str(each) for each in now(self._storage.find(place))]
        scheme = f"{place.split('://', 1)[0]}://" if "://" in place else ""
        pairs = []
        for each in found:
            whole = each if not scheme or each.startswith(scheme) else scheme + each.lstrip("/")
            target = folder / whole[len(place) :].lstrip("/")
            if not target.resolve().is_relative_to(folder.resolve()):
                continue  # a key such as a/../../b is no file of this folder
            target.parent.mkdir(parents=True, exist_ok=True)
            pairs.append((whole, str(target)))
        self._copy(pairs, stop, upload=False)

    def upload(self, folder: Path, place: str, stop: StopToken) -> None:
        """Brings a folder of this machine into the workspace; on a disk its files are moved, not copied."""
        files = sorted(each for each in folder.rglob("*") if each.is_file())
        if "://" not in place:
            for file in files:
                stop.check()
                target = Path(place) / file.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.move(file, target)
            return
        pairs = [(str(file), f"{place}/{file.relative_to(folder).as_posix()}") for file in files]
        self._copy(pairs, stop, upload=True)

    def _copy(self, pairs: list[tuple[str, str]], stop: StopToken, *, upload: bool) -> None:
        for first in range(0, len(pairs), _AT_ONCE):
            stop.check()
            some = pairs[first : first + _AT_ONCE]
            if inspect.iscoroutinefunction(self._storage.copy_file):
                asyncio.run(self._copy_together(some))
                continue
            for source, target in some:
                self._copy_one(source, target, upload=upload)

    async def _copy_together(self, pairs: list[tuple[str, str]]) -> None:
        await asyncio.gather(*(self._storage.copy_file(source, target) for source, target in pairs))

    def _copy_one(self, source: str, target: str, *, upload: bool) -> None:
        """By hand: the synchronous `copy_file` knows nothing of the storage's credentials."""
        storage = self._storage
        if upload:
            with Path(source).open("rb") as reading, storage.open(target, "wb") as writing:
                shutil.copyfileobj(reading, writing, 1 << 20)
        else:
            with storage.open(source, "rb") as reading, Path(target).open("wb") as writing:
                shutil.copyfileobj(reading, writing, 1 << 20)
