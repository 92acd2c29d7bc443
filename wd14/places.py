"""Files and folders on this machine, on a shared disk or on an object store: one way to read and write them all.

A place is a path, or a URL that fsspec knows: `s3://bucket/folder`, `gs://…`, `az://…`, `hf://datasets/…`. What
is written appears whole or not at all: on a disk it is written aside and renamed, on an object store it is one PUT.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from wd14.errors import PlaceError
from wd14.regular_files import open_file, read_file

#: Bytes of a small file that is read as a whole.
LARGEST_SMALL = 1 << 28


@dataclass(frozen=True, slots=True)
class FoundAt:
    """A file below a place."""

    relative: str  #: path from the place, parts joined with "/"
    size: int  #: bytes
    stamp: str  #: another one when the file has changed: its ETag, or its time of modification in nanoseconds


class Place:
    """A file or folder, which need not be there.

    Args:
        text: a path of this machine, or a URL.

    Raises:
        PlaceError: nothing installed here can open such a URL; the message says what to install.
    """

    def __init__(self, text: str | Path) -> None:
        self.is_local = "://" not in str(text)
        self.url = str(Path(text).expanduser().absolute()) if self.is_local else str(text).rstrip("/")
        self.name = self.url.rpartition("/")[2]

    def __truediv__(self, relative: str) -> Place:
        return Place(f"{self.url}/{relative}")

    def __str__(self) -> str:
        return self.url

    @property
    def local(self) -> Path:
        """The path of a place on this machine.

        Raises:
            PlaceError: it is on an object store.
        """
        if not self.is_local:
            raise PlaceError(f"{self} is not on this machine")
        return Path(self.url)

    @cached_property
    def _remote(self) -> tuple[Any, str]:
        """The filesystem and the path in it."""
        import fsspec

        try:
            return cast("tuple[Any, str]", fsspec.core.url_to_fs(self.url))
        except (ImportError, ValueError) as error:
            raise PlaceError(f"{self} cannot be opened: {error}") from error

    def exists(self) -> bool:
        """Whether a file or folder is there."""
        if self.is_local:
            return self.local.exists()
        system, path = self._remote
        system.invalidate_cache()
        return bool(system.exists(path))

    def names(self) -> list[str]:
        """Names of the files in a folder, sorted, without those being written; none where there is no folder."""
        if self.is_local:
            if not self.local.is_dir():
                return []
            return sorted(each.name for each in os.scandir(self.local) if each.is_file() and each.name[0] != ".")
        system, path = self._remote
        system.invalidate_cache()
        try:
            found = system.ls(path, detail=True)
        except FileNotFoundError:
            return []
        names = (each["name"].rpartition("/")[2] for each in found if each["type"] == "file")
        return sorted(name for name in names if name)

    def files(self) -> Iterator[FoundAt]:
        """All files below a folder on an object store, in the order of their relative paths."""
        system, path = self._remote
        system.invalidate_cache()
        found = system.find(path, detail=True)
        for full in sorted(found):
            details = found[full]
            stamp = str(
                details.get("ETag") or details.get("etag") or details.get("blob_id") or details.get("mtime", "")
            )
            yield FoundAt(full.removeprefix(path).lstrip("/"), int(details["size"]), stamp.strip('"'))

    def read(self, largest: int = LARGEST_SMALL) -> bytes:
        """All bytes of a small file.

        Raises:
            FileNotFoundError: it is not there.
            PlaceError: it cannot be read, or has more than `largest` bytes.
        """
        try:
            if self.is_local:
                return read_file(self.local, largest)
            system, path = self._remote
            return bytes(system.cat_file(path))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise PlaceError(f"{self} cannot be read: {error.strerror or error}") from error

    def read_range(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` up to `end`."""
        if self.is_local:
            with open_file(self.local) as file:
                file.seek(begin)
                return file.read(end - begin)
        system, path = self._remote
        return bytes(system.cat_file(path, start=begin, end=end))

    def open(self) -> BinaryIO:
        """The bytes of a file, to be read in any order."""
        if self.is_local:
            return open_file(self.local)
        system, path = self._remote
        return cast("BinaryIO", system.open(path, "rb"))

    def write(self, data: bytes) -> None:
        """Makes the file hold these bytes, whole or not at all."""
        if not self.is_local:
            system, path = self._remote
            system.pipe_file(path, data)
            return
        with self.writing() as aside:
            aside.write_bytes(data)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A path of this machine to write a new file to, which appears at the place when the block ends well."""
        if self.is_local:
            self.local.parent.mkdir(parents=True, exist_ok=True)
            aside = self.local.with_name(f".{self.name}.{secrets.token_hex(4)}.partial")
            try:
                yield aside
                aside.replace(self.local)
            finally:
                aside.unlink(missing_ok=True)
            return
        with tempfile.TemporaryDirectory(prefix="wd14-") as folder:
            aside = Path(folder) / self.name
            yield aside
            system, path = self._remote
            system.put_file(str(aside), path)

    def download(self, target: Path) -> None:
        """Copies the file to a path on this machine."""
        with self.open() as source, target.open("wb") as file:
            shutil.copyfileobj(cast("io.BufferedIOBase", source), file, 1 << 20)

    def remove(self) -> None:
        """Removes a file; one that is not there is none."""
        if self.is_local:
            self.local.unlink(missing_ok=True)
            return
        system, path = self._remote
        try:
            system.rm_file(path)
        except FileNotFoundError:
            return
