"""The bytes of a tar archive, unpacked as they are read; a small archive cannot cost much memory or time."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from wd14.data.sources.base import MOST_INFLATION
from wd14.images.reading import MAX_BYTES
from wd14.regular_files import open_file

#: Bytes of a member's headers. `tarfile` reads what they claim as a whole: long names, extended headers, maps of holes.
_LONGEST_HEADER = 1 << 20
#: Bytes that are unpacked at once on the way to a later place.
_STEP = 1 << 20


class TarStream:
    """What `tarfile` reads an archive from; a context manager, which closes the file.

    Args:
        file: the archive; it can be read in any order.
        size: its bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size
        self._unpacked = _unpacked(self._file)
        self._position = 0
        self._header_left = _LONGEST_HEADER
        self.last_block = b""  #: what was read last

    @classmethod
    def at(cls, path: Path) -> Self:
        """That of an archive on this machine.

        Raises:
            OSError: it cannot be opened.
        """
        return cls(open_file(path), path.stat().st_size)

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed, so that its members cannot be found without unpacking it."""
        return self._unpacked is not self._file

    def begin_header(self) -> None:
        """Says that a member's headers come next."""
        self._header_left = _LONGEST_HEADER

    def read(self, size: int) -> bytes:
        """The next bytes of a header.

        Raises:
            ReadError: the header is too long, or the archive is damaged.
        """
        if not 0 <= size <= self._header_left:
            raise tarfile.ReadError(f"a header of a member has over {_LONGEST_HEADER:,} bytes")
        self._header_left -= size
        self.last_block = self._read(size)
        return self.last_block

    def read_member(self, member: tarfile.TarInfo) -> bytes:
        """The bytes of a member; the caller has looked at its size.

        Raises:
            ReadError: the archive ends before, or is damaged.
        """
        self.seek(member.offset_data)
        data = self._read(member.size)
        if len(data) != member.size:
            raise tarfile.ReadError("unexpected end of data")
        return data

    def seek(self, position: int) -> None:
        """Goes to a place further on.

        Raises:
            ReadError: it is not further on, or there is too much before it.
        """
        if position < self._position:
            raise tarfile.ReadError("the size of a member is below zero")
        if self._unpacked is self._file:
            self._file.seek(position)
            self._position = position
        while self._position < position and self._read(min(_STEP, position - self._position)):
            pass

    def tell(self) -> int:
        """Where the next bytes come from."""
        return self._position

    def _read(self, size: int) -> bytes:
        data = self._unpacked.read(size)
        self._position += len(data)
        if self._unpacked is not self._file and self._position > MOST_INFLATION * self.size + MAX_BYTES:
            raise tarfile.ReadError(
                f"unpacked it has over {MOST_INFLATION} times its own {self.size:,} bytes:"
                " unpack it yourself if you trust it"
            )
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._unpacked.close()
        self._file.close()


def _unpacked(file: BinaryIO) -> BinaryIO:
    """A file's bytes without their compression, which their beginning tells."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return cast("BinaryIO", bz2.BZ2File(file))
    if start.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return cast("BinaryIO", lzma.LZMAFile(file))
    return file
