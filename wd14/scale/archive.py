"""A webdataset archive: each picture beside its caption as text, and what else is known of it as JSON.

The bytes depend on the pictures and their rows alone.
"""

from __future__ import annotations

import json
import tarfile

from wd14.data.sources.values import encodable
from wd14.scale.hashed_file import HashedFile
from wd14.scale.output import number
from wd14.scale.shard_file import RowRecord


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
