"""Files and folders on this machine, on a shared disk or on an object store: one way to read and write them all.

A place is a path, or a URL that fsspec knows: `s3://bucket/folder`, `gs://…`, `az://…`, `hf://datasets/…`. What
is written appears whole or not at all: on a disk it is written aside, brought to the disk and renamed; on an object
store it is one PUT. A store that is busy or does not answer is asked again for two minutes (`patience`).
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from wd14.errors import CaptionerError, PlaceError
from wd14.object_stores import FoundAt, all_files, check_url, clear_uploads, entries, filesystem, found_at
from wd14.patience import patiently
from wd14.place_errors import Doing, is_beyond_the_end, is_missing, place_error
from wd14.place_files import (
    FetchedFile,
    copy_stretch,
    put_in_place,
    range_of_file,
    remove_partial,
    scan,
    told_when_full,
)
from wd14.regular_files import mode_of, open_file, read_file
from wd14.run_folder import temporary_folder
from wd14.stop import StopToken
from wd14.threads import OrderedMap

__all__ = ["FoundAt", "Place", "read_many"]

R = TypeVar("R")

#: Bytes of a small file that is read as a whole.
LARGEST_SMALL = 1 << 28
#: Bytes that are fetched at once of a file that is read in any order.
_READ_AT_ONCE = 1 << 20
#: Small files that are read at the same time. A disk of this machine wants fewer; a shared one may be slow to answer.
_READERS, _LOCAL_READERS = 32, 4
#: Ends the name of a file that is being written.
_PARTIAL = ".partial"


class Place:
    """A file or folder, which need not be there. Nothing is asked of a store before it must be.

    Args:
        text: a path of this machine, or a URL.

    Raises:
        PlaceError: it is neither, or holds a secret: a password, a key, a signature.
    """

    __slots__ = ("is_local", "name", "url")

    def __init__(self, text: str | Path) -> None:
        text = str(text).removeprefix("file://")
        self.is_local = "://" not in text
        if not self.is_local:
            check_url(text)
        try:
            self.url = str(Path(text).expanduser().absolute()) if self.is_local else text.rstrip("/")
        except RuntimeError as error:
            raise PlaceError(f"{text} cannot be found: {error}") from error
        self.name = self.url.rpartition("/")[2] if not self.is_local else Path(self.url).name

    def __truediv__(self, relative: str) -> Place:
        if self.is_local:
            return Place(Path(self.url, relative))
        below = copy(self)  # what is below a place is named by others: a file may be called `a?key=1.png` or `a::b.png`
        below.url = f"{self.url}/{relative}".rstrip("/")
        below.name = below.url.rpartition("/")[2]
        return below

    def __str__(self) -> str:
        return self.url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    @property
    def local(self) -> Path:
        """The path of a place on this machine.

        Raises:
            PlaceError: it is on an object store.
        """
        if not self.is_local:
            raise PlaceError(f"{self} is not on this machine")
        return Path(self.url)

    @property
    def _remote(self) -> tuple[Any, str]:
        """The filesystem and the path in it."""
        system = filesystem(self.url)
        return system, system._strip_protocol(self.url)

    def _do(self, doing: Doing, call: Callable[[], R]) -> R:
        """What `call` gives; what goes wrong becomes a FileNotFoundError or a PlaceError."""
        try:
            return call() if self.is_local else patiently(self.url, call)
        except CaptionerError:
            raise
        except Exception as error:
            if doing in ("read", "removed") and (is_missing(error) or isinstance(error, NotADirectoryError)):
                raise FileNotFoundError(f"{self} is not there") from error
            if self.is_local and not isinstance(error, (OSError, ValueError)):
                raise
            raise place_error(error, self.url, doing) from error

    def _details(self) -> dict[str, Any]:
        """What a store knows of the place; a FileNotFoundError where nothing is there."""
        system, path = self._remote
        details: dict[str, Any] = self._do("read", lambda: system.info(path))
        return details

    def exists(self) -> bool:
        """Whether a file or folder is there.

        Raises:
            PlaceError: that cannot be known: the store does not answer, or does not take the credentials.
        """
        if self.is_local:
            return mode_of(self.local) != 0
        try:
            self._details()
        except FileNotFoundError:
            return False
        return True

    def facts(self) -> FoundAt:
        """The size and stamp of a file, as `files` and `entries` give them.

        Raises:
            FileNotFoundError: no file is there.
            PlaceError: it cannot be looked at.
        """
        if self.is_local:
            status = self._do("read", self.local.stat)
            return FoundAt("", status.st_size, str(status.st_mtime_ns))
        details = self._details()
        if details.get("type") == "directory":
            raise FileNotFoundError(f"{self} is a folder")
        return found_at("", details)

    def names(self) -> list[str]:
        """Names of the files in a folder, sorted, without hidden ones; none where there is no folder.

        10,000 take 10 ms on a disk, and ten requests on an object store.

        Raises:
            PlaceError: it cannot be listed.
        """
        found = self._scanned() if self.is_local else (each.relative for each in self.entries())
        return sorted(name for name in found if name[0] != "." and name[-1] != "/")

    def _scanned(self) -> list[str]:
        return self._do("listed", lambda: scan(self.local))

    def entries(self) -> Iterator[FoundAt]:
        """What is in a folder, in any order; names of folders end with "/". Nothing where there is no folder.

        Raises:
            PlaceError: it cannot be listed.
        """
        if not self.is_local:
            yield from entries(self.url, *self._remote)
            return
        for name in self._scanned():
            with suppress(OSError):  # gone meanwhile
                status = os.stat(f"{self.url}/{name}")  # noqa: PTH116 - there may be many
                yield FoundAt(name, 0 if name.endswith("/") else status.st_size, str(status.st_mtime_ns))

    def files(self) -> Iterator[FoundAt]:
        """All files below a folder on an object store, in the order of their relative paths.

        On S3 memory does not grow with their number, and a million take a thousand requests.

        Raises:
            PlaceError: it cannot be listed, or is on this machine.
        """
        if self.is_local:
            raise PlaceError(f"{self} is on this machine")
        return all_files(self.url, *self._remote)

    def read(self, largest: int = LARGEST_SMALL) -> bytes:
        """All bytes of a small file.

        Raises:
            FileNotFoundError: it is not there.
            PlaceError: it cannot be read, or has more than `largest` bytes; no more than these were fetched.
        """
        if self.is_local:
            return self._do("read", lambda: read_file(self.local, largest))
        data = self.read_range(0, largest + 1)
        if len(data) > largest:
            raise PlaceError(f"{self} cannot be read: it has more than {largest:,} bytes")
        return data

    def read_range(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` up to `end`, fewer where the file ends before.

        Raises:
            FileNotFoundError: it is not there.
            PlaceError: it cannot be read.
        """
        if self.is_local:
            return self._do("read", lambda: range_of_file(self.local, begin, end))
        system, path = self._remote

        def fetched() -> bytes:
            try:
                return bytes(system.cat_file(path, start=begin, end=end))
            except Exception as error:
                if is_beyond_the_end(error):
                    return b""
                raise

        return self._do("read", fetched) if end > begin else b""

    def open(self) -> BinaryIO:
        """The bytes of a file, to be read in any order.

        Raises:
            FileNotFoundError: it is not there.
            PlaceError: it cannot be opened; on a store also later, when it is read.
        """
        if self.is_local:
            return self._do("read", lambda: open_file(self.local))
        return cast("BinaryIO", io.BufferedReader(FetchedFile(self.read_range, self.facts().size), _READ_AT_ONCE))

    def write(self, data: bytes) -> None:
        """Makes the file hold these bytes, whole or not at all.

        Raises:
            UnwritablePlaceError: nothing can be written there.
            PlaceError: it cannot be written.
        """
        if not self.is_local:
            system, path = self._remote
            self._do("written", lambda: system.pipe_file(path, data))
            return
        with self.writing() as aside:
            self._do("written", lambda: aside.write_bytes(data))

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A path of this machine to write a new file to, which appears at the place when the block ends well.

        Raises:
            UnwritablePlaceError: nothing can be written there. A full disk within the block is told so too.
            PlaceError: it cannot be written.
        """
        if self.is_local:
            self._do("written", lambda: self.local.parent.mkdir(parents=True, exist_ok=True))
            aside = self.local.with_name(f".{self.name[:200]}.{secrets.token_hex(4)}{_PARTIAL}")
            try:
                with told_when_full(self.url):
                    yield aside
                self._do("written", lambda: put_in_place(aside, self.local))
            finally:
                with suppress(OSError):
                    aside.unlink(missing_ok=True)
            return
        with self._do("written", temporary_folder) as folder:
            aside = folder.path / self.name
            with told_when_full(self.url):
                yield aside
            system, path = self._remote
            self._do("written", lambda: system.put_file(str(aside), path))

    def download(self, target: Path, begin: int = 0, end: int | None = None, *, stop: StopToken | None = None) -> None:
        """Copies the file, or a stretch of it, to where it is in a file on this machine; what is before is a hole.

        What was fetched is not fetched again when a connection drops. At most 64 MB are in memory.

        Args:
            target: the copy; what else it holds stays.
            begin: the first byte.
            end: the byte behind the last; None = the file's end.
            stop: ends the copying.

        Raises:
            FileNotFoundError: it is not there.
            PlaceError: it cannot be read, is shorter than that, or the copy cannot be written.
            JobStoppedError: a stop was asked for.
        """
        end = self.facts().size if end is None else end
        copy_stretch(self.read_range, target, begin, end, name=self.url, stop=stop)

    def remove(self) -> None:
        """Removes a file; one that is not there is none.

        Raises:
            PlaceError: it cannot be removed.
        """
        with suppress(FileNotFoundError):
            if self.is_local:
                self._do("removed", self.local.unlink)
                return
            system, path = self._remote
            self._do("removed", lambda: system.rm_file(path))

    def clear_partial(self) -> int:
        """Removes what killed writers left below a folder; returns how many files.

        Only for one who knows that nobody writes there any more.

        Raises:
            PlaceError: it cannot be looked through.
        """
        if not self.is_local:
            return clear_uploads(self.url, *self._remote)
        return self._do("removed", lambda: remove_partial(self.local, _PARTIAL))


def read_many(places: Iterable[Place], largest: int = LARGEST_SMALL) -> Iterator[bytes]:
    """The bytes of many small files, in the order of the places, read by threads a little ahead.

    Raises:
        FileNotFoundError: one is not there.
        PlaceError: one cannot be read.
    """
    places = iter(places)
    first = next(places, None)
    if first is None:
        return
    yield first.read(largest)
    workers = _LOCAL_READERS if first.is_local else _READERS
    found = OrderedMap(
        lambda place: place.read(largest), places, workers=workers, window=8 * workers, name="wd14-files"
    )
    try:
        yield from found
    finally:
        found.close()
