"""What places are made of: files fetched range by range, copies, and files that appear whole."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from wd14.errors import PlaceError
from wd14.place_errors import is_full, place_error
from wd14.regular_files import open_file
from wd14.stop import StopToken
from wd14.threads import OrderedMap

#: The bytes from one position up to another, fewer at the file's end.
ReadRange = Callable[[int, int], bytes]

#: Bytes of a stretch that is copied at once, and how many of them at the same time.
_COPIED_AT_ONCE, _COPIERS = 8 << 20, 4


def copy_stretch(
    read_range: ReadRange, target: Path, begin: int, end: int, *, name: str, stop: StopToken | None
) -> None:
    """Copies a stretch of a file to the same place in a file of this machine; see `Place.download`."""
    fetched = OrderedMap(
        lambda at: (at, read_range(at, min(end, at + _COPIED_AT_ONCE))),
        range(begin, end, _COPIED_AT_ONCE),
        workers=_COPIERS if end - begin > _COPIED_AT_ONCE else 1,
        window=2 * _COPIERS,
        name="wd14-fetch",
    )
    try:
        with os.fdopen(_opened(target), "wb") as file:
            for at, data in fetched:
                if stop is not None:
                    stop.check()
                if len(data) < min(end, at + _COPIED_AT_ONCE) - at:
                    raise PlaceError(f"{name} cannot be read: it ended at byte {at + len(data):,}, not {end:,}")
                _write_at(file, at, data, target)
    finally:
        fetched.close()


def _opened(target: Path) -> int:
    try:
        return os.open(target, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise place_error(error, str(target), "written") from error


def _write_at(file: BinaryIO, at: int, data: bytes, target: Path) -> None:
    try:
        file.seek(at)
        file.write(data)
        file.flush()
    except OSError as error:
        raise place_error(error, str(target), "written") from error


class FetchedFile(io.RawIOBase):
    """A file on an object store, read by ranges that are asked for again when they fail."""

    def __init__(self, read_range: ReadRange, size: int) -> None:
        self._read_range = read_range
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("negative position")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        data = self._read_range(self._at, min(self._size, self._at + len(buffer)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def range_of_file(path: Path, begin: int, end: int) -> bytes:
    """The bytes of a file of this machine from `begin` up to `end`."""
    with open_file(path) as file:
        file.seek(begin)
        return file.read(max(0, end - begin))


def put_in_place(aside: Path, target: Path) -> None:
    """Brings a file to the disk, then to its name: after a power cut it is whole, or not there."""
    handle = os.open(aside, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    aside.replace(target)
    if os.name != "nt":
        with suppress(OSError):  # some shared disks cannot
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def told_when_full(url: str) -> Iterator[None]:
    """Tells of a full disk within the block as an UnwritablePlaceError, whoever wrote."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise place_error(error, url, "written") from error
        raise


def scan(folder: Path) -> list[str]:
    """Names in a folder in any order, those of folders with a "/" at their end; none where there is no folder."""
    try:
        with os.scandir(folder) as found:
            return [each.name + ("/" if each.is_dir() else "") for each in found]
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove_partial(folder: Path, ending: str) -> int:
    """Removes hidden files of an ending below a folder; returns how many."""
    removed = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(ending):
                Path(place, name).unlink(missing_ok=True)
                removed += 1
    return removed
