"""Zip archives, read as the folders that they were made of; nothing is unpacked onto the disk."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, cast

from wd14.data.sources.base import MOST_INFLATION
from wd14.data.sources.confinement import ABSOLUTE, IRREGULAR, Confinement
from wd14.data.sources.splits import split_of_folder
from wd14.data.sources.values import excerpt, first_line
from wd14.data.sources.walk import is_hidden
from wd14.errors import (
    DamagedImageError,
    ImageTooLargeError,
    MissingImageError,
    RowError,
    SourceError,
    UnreadableImageError,
)
from wd14.images.reading import MAX_BYTES
from wd14.regular_files import open_file
from wd14.text import printable

#: Files and folders in all archives together.
_MOST_MEMBERS = 1_000_000
#: Characters of a member's name; a longer path cannot exist on Linux.
_LONGEST_NAME = 4096
#: Bytes of an archive's list of members, and of a metadata file: both are held in memory.
_LARGEST_DIRECTORY = 256 << 20
_LARGEST_TEXT = 256 << 20

_ENTRY = b"PK\1\2"  # begins each entry in the list of members
_HEADER = struct.Struct("<4s22xHH")  # before each member: b"PK\3\4", lengths of its name and of its extra fields
_ENCRYPTED = 0x1 | 0x40  # bits of `flag_bits`
_UTF8_NAME = 0x800
_BROKEN = (zipfile.BadZipFile, OSError, ValueError, RuntimeError, IndexError, OverflowError, struct.error)


class ZipFiles(Confinement):
    """The files in zip archives. Each archive counts as a folder that has its name without the extension.

    A single folder at the top that names no split is the dataset itself: people pack a folder, not the files in it.
    Nothing outside the archives is opened.

    Args:
        folder: where the archives are.
        archives: their paths from there, at least one.

    Raises:
        SourceError: one of them is not a whole zip archive, or breaks a limit.
    """

    def __init__(self, folder: Path, archives: Sequence[str]) -> None:
        # Members get paths below the archive, which is a file: on the disk there can be nothing of that path.
        super().__init__(folder / archives[0], follow_symlinks=False)
        self.archives = archives
        self._prefix = self.root.as_posix() + "/"
        tree = _Tree()
        for relative in archives:
            try:
                tree.add_archive(folder / relative, relative[: -len(".zip")].lstrip(".").split("/"))
            except SourceError as error:
                raise SourceError(f"{printable(relative)}: {error}") from error
        self._top = tree.dataset()

    def listing(self, folder: str) -> list[str]:
        """The names in a folder of the archives, marked as those of a folder on the disk."""
        found = self._find(folder, "/")
        return [name + _mark(each) for name, each in found.items()] if isinstance(found, _Folder) else []

    def exists(self, path: str | Path) -> bool:
        """Whether there is a member or a folder of that path."""
        return self._find(path) is not None or self._find(path, "/") is not None

    def open(self, path: Path) -> BinaryIO:
        """The bytes of a member, in memory.

        Raises:
            OSError: it cannot be read, or has more than 256 MiB.
        """
        return io.BytesIO(self.read(path, _LARGEST_TEXT))

    def read(self, path: Path, largest: int) -> bytes:
        """The bytes of a small member.

        Raises:
            OSError: it cannot be read, or has more than `largest` bytes.
        """
        try:
            return self._member(path, path.name).read(largest)
        except RowError as error:
            raise OSError(str(error)) from error

    def picture(self, path: Path) -> tuple[Path | None, bytes | None]:
        """The bytes of a member.

        Raises:
            RowError: it cannot be read.
        """
        return None, self._member(path, printable(path.name)).read(MAX_BYTES)

    def _checked(self, path: Path, shown: str) -> Path:
        if self._member(path, shown).is_link:
            raise UnreadableImageError(f"{shown} is a link in the archive, not a file")
        return path

    def _member(self, path: Path, shown: str) -> _Member:
        found = self._find(path)
        if isinstance(found, _Member):
            return found
        if self._find(path, "/") is not None:
            raise UnreadableImageError(f"{shown} is a folder, not a file")
        raise MissingImageError(f"file not found in the archive: {shown}")

    def _find(self, path: str | Path, mark: str = "") -> _Folder | _Member | None:
        """The member of a path, or with the mark "/" the folder."""
        inner = PurePath(path).as_posix() + "/"
        if not inner.startswith(self._prefix):
            return None
        folder = self._top
        *folders, name = inner[len(self._prefix) : -1].split("/")
        for each in folders:
            found = folder.get(each + "/")
            if not isinstance(found, _Folder):
                return None
            folder = found
        return folder.get(name + mark) if name else folder


@dataclass(frozen=True, slots=True)
class _Member:
    archive: Path
    offset: int
    packed_size: int
    size: int
    checksum: int
    method: int
    is_encrypted: bool
    is_link: bool

    def read(self, largest: int) -> bytes:
        """The bytes; never more of them than the archive declares.

        Raises:
            RowError: it is too large, encrypted, packed in an unusual way or damaged.
        """
        if self.is_encrypted:
            raise UnreadableImageError("it is encrypted: make the archive again without a password")
        if self.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableImageError(
                f"it is compressed by method {self.method}, expected 0 (stored) or 8 (deflated):"
                " make the archive again as an ordinary .zip"
            )
        if max(self.size, self.packed_size) > largest:
            raise ImageTooLargeError(f"{self.size:,} bytes, over the limit of {largest:,}")
        try:
            data = self._packed()
            if self.method == zipfile.ZIP_DEFLATED:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, self.size + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UnreadableImageError(f"the archive cannot be read: {reason}") from error
        except (zlib.error, struct.error) as error:
            raise DamagedImageError("it is damaged in the archive: it cannot be unpacked") from error
        if len(data) != self.size or zlib.crc32(data) != self.checksum:
            raise DamagedImageError("it is damaged in the archive: its size or checksum is wrong")
        return data

    def _packed(self) -> bytes:
        with open_file(self.archive) as file:
            file.seek(self.offset)
            signature, *lengths = _HEADER.unpack(file.read(_HEADER.size))
            if signature != b"PK\3\4":
                raise DamagedImageError("it is damaged in the archive: its beginning is not where the archive says")
            file.seek(sum(lengths), os.SEEK_CUR)
            return file.read(self.packed_size)


class _Folder(dict[str, "_Folder | _Member"]):
    """What is in a folder, by name; names of folders end in "/"."""

    __slots__ = ()


def _mark(found: _Folder | _Member) -> str:
    return IRREGULAR if isinstance(found, _Member) and found.is_link else ""


class _Tree:
    """The files and folders of archives."""

    def __init__(self) -> None:
        self._top = _Folder()
        self._count = 0

    def add_archive(self, path: Path, place: list[str]) -> None:
        """Adds what is in an archive, to the folder `place`.

        Raises:
            SourceError: it cannot be read, or is not to be trusted.
        """
        folder = self._folder(self._top, place)
        for info in _directory(path):
            *folders, name = _name(info).split("/")
            inner = self._folder(folder, folders)
            if name:
                self._grow()
                inner[name] = _Member(
                    path,
                    info.header_offset,
                    info.compress_size,
                    info.file_size,
                    info.CRC,
                    info.compress_type,
                    bool(info.flag_bits & _ENCRYPTED),
                    stat.S_ISLNK(info.external_attr >> 16),
                )

    def dataset(self) -> _Folder:
        """The folder that is the dataset."""
        top = self._top
        while True:
            visible = [name for name in top if not is_hidden(name.rstrip("/"))]
            inner = top[visible[0]] if len(visible) == 1 else None
            if not isinstance(inner, _Folder) or split_of_folder(visible[0].rstrip("/")):
                return top
            top = inner

    def _folder(self, top: _Folder, parts: list[str]) -> _Folder:
        for part in parts:
            if part in ("", "."):
                continue
            inner = top.get(part + "/")
            if not isinstance(inner, _Folder):
                self._grow()
                inner = top[part + "/"] = _Folder()
            top = inner
        return top

    def _grow(self) -> None:
        self._count += 1
        if self._count > _MOST_MEMBERS:
            raise SourceError(f"more than {_MOST_MEMBERS:,} files and folders are not read")


def _name(info: zipfile.ZipInfo) -> str:
    """A member's path in the archive, parts joined with "/"; a folder's ends in "/".

    Raises:
        SourceError: no file of that path could be in a folder.
    """
    name = info.filename
    if not info.flag_bits & _UTF8_NAME:
        with contextlib.suppress(ValueError):  # macOS writes UTF-8 and does not say so
            name = name.encode("cp437").decode()
    name = name.replace("\\", "/")
    if ABSOLUTE.match(name) or ".." in name.split("/") or "\0" in info.orig_filename or len(name) > _LONGEST_NAME:
        raise SourceError(f"it names {excerpt(name)}, which no file in a folder can be called: the archive is not read")
    return name


def _directory(path: Path) -> list[zipfile.ZipInfo]:
    """An archive's list of members.

    Raises:
        SourceError: it has none, or one that breaks a limit.
    """
    try:
        raw = cast("io.BufferedReader", open_file(path)).detach()
        with _DirectoryReader(raw) as file, zipfile.ZipFile(file) as archive:
            size, members = path.stat().st_size, archive.infolist()
    except _BROKEN as error:
        reason = first_line(error)
        raise SourceError(f"it is no zip archive, or is cut short ({reason}): copy it again") from error
    if sum(member.compress_size for member in members) > size:
        raise SourceError("its members overlap: the archive is not read")
    total = sum(member.file_size for member in members)
    if total > MOST_INFLATION * size + MAX_BYTES:
        raise SourceError(
            f"it would have {total:,} bytes unpacked, over {MOST_INFLATION} times its own {size:,}:"
            " unpack it yourself if you trust it"
        )
    return members


class _DirectoryReader(io.BufferedReader):
    """Refuses a list of members that is too long before it fills the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Some bytes, or the rest.

        Raises:
            SourceError: they are too many, or list too many members.
        """
        if size is not None and size > _LARGEST_DIRECTORY:
            raise SourceError(f"its list of members has {size:,} bytes; the limit is {_LARGEST_DIRECTORY:,}")
        data = super().read(size)
        if data.count(_ENTRY) > _MOST_MEMBERS:
            raise SourceError(f"it has more than {_MOST_MEMBERS:,} members, which are not read")
        return data
