"""A shard as a webdataset archive: each picture beside its caption as text, and what else is known of it as JSON.

The bytes depend on the pictures and their rows alone.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from wd14.data.sources.values import encodable
from wd14.errors import PlaceError, ScaleError
from wd14.images.reading import MAX_BYTES
from wd14.places import Place
from wd14.scale.hashed_file import HashedFile
from wd14.scale.output import number
from wd14.scale.shard_file import RowRecord
from wd14.scale.staged_pictures import Staged

#: A member's name: the shard, the row's position in it, and what kind of file it is.
_NAME = re.compile(r"[0-9]{5,}-(?P<position>[0-9]{6,})(?P<extension>\.[A-Za-z0-9]{1,10})", re.ASCII)
_BESIDE = frozenset({".json", ".txt"})


class ArchiveWriter:
    """Writes the archive of a shard.

    Args:
        file: takes the bytes; it is not closed.
        shard: the shard's number, with which names begin: they are unique in a dataset.

    Raises (in every method):
        OSError: the file cannot be written.
    """

    def __init__(self, file: HashedFile, shard: int) -> None:
        self._file = file
        self._shard = number(shard)

    def add(self, position: int, row: RowRecord, extension: str, picture: bytes) -> None:
        """Adds a picture.

        Args:
            position: of its row in the shard.
            row: what is known of it; it has a caption.
            extension: of the picture's format, with its dot.
            picture: the encoded picture.
        """
        stem = f"{self._shard}-{position:06d}"
        facts = {
            "id": row.id,
            "sha256": row.sha256,
            "width": row.width or 0,  # readers expect the same type in every row
            "height": row.height or 0,
            "tags": list(row.tags or ()),
        }
        self._member(stem + extension, picture)
        self._member(f"{stem}.json", json.dumps(facts).encode())
        self._member(f"{stem}.txt", encodable(row.caption or "").encode())

    def close(self) -> None:
        """Writes the end of the archive."""
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))

    def _member(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), 0o644
        self._file.write(member.tobuf(tarfile.USTAR_FORMAT))
        self._file.write(data)
        self._file.write(bytes(-len(data) % tarfile.BLOCKSIZE))


class ArchivePictures:
    """Gives the pictures of an archive, whose rows must be asked for in ascending order of their positions.

    Args:
        file: the archive; it is not closed.
        place: names it in messages.
    """

    def __init__(self, file: BinaryIO, place: Place) -> None:
        self._file = file
        self._place = place
        self._pictures = self._read()
        self._next: tuple[int, Staged] | None = None

    def picture(self, position: int) -> Staged | None:
        """The picture of a row; None where the archive has none.

        Args:
            position: of the row in the shard.

        Raises:
            ScaleError: the archive is damaged, or is none of ours.
        """
        while self._next is None or self._next[0] < position:
            self._next = next(self._pictures, None)
            if self._next is None:
                return None
        return self._next[1] if self._next[0] == position else None

    def _read(self) -> Iterator[tuple[int, Staged]]:
        while True:
            block = self._bytes(tarfile.BLOCKSIZE)
            if len(block) == tarfile.BLOCKSIZE and not any(block):
                return  # the end of every archive
            try:
                member = tarfile.TarInfo.frombuf(block, "ascii", "strict")
            except (tarfile.HeaderError, UnicodeError) as error:
                raise self._damaged(str(error)) from error
            name = _NAME.fullmatch(member.name)
            if name is None or not member.isreg() or not 0 <= member.size <= MAX_BYTES:
                raise self._damaged(f"{member.name[:100]!r} is no member that a run writes")
            data = self._bytes(member.size)
            padding = -member.size % tarfile.BLOCKSIZE
            if len(data) != member.size or len(self._bytes(padding)) != padding:
                raise self._damaged("it breaks off")
            if name["extension"] not in _BESIDE:
                yield int(name["position"]), Staged(name["extension"], data=data)

    def _bytes(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (OSError, PlaceError) as error:
            raise ScaleError(f"{self._place} cannot be read: {error}") from error

    def _damaged(self, reason: str) -> ScaleError:
        return ScaleError(f"{self._place} is no archive of a run, or is damaged ({reason})")
