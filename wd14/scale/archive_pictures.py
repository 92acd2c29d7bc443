"""Pictures out of an archive that `archive` wrote, in order."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from wd14.errors import PlaceError, ScaleError
from wd14.images.reading import MAX_BYTES
from wd14.places import Place
from wd14.scale.staged_pictures import Staged

_NAME = re.compile(r"[0-9]{5,}-(?P<position>[0-9]{6,})(?P<extension>\.[A-Za-z0-9]{1,10})", re.ASCII)
_BESIDE = frozenset({".json", ".txt"})


class ArchivePictures:
    """Gives the pictures of rows, whose positions must be asked for in ascending order.

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
