"""The thumbnails of a run's pictures: found in the score store or made, and written where the review page lies."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from wd14.data.partial_folder import write_new_file
from wd14.model.score_store.store import ScoreStore


class ThumbnailFolder:
    """Takes thumbnails from any thread, until `stop`. One that cannot be written is left out.

    Args:
        folder: is made, for `0.webp`, `1.webp`, …, by row; None = they only go into the score store, for a later pass.
        most: rows beyond this number have none.
    """

    def __init__(self, folder: Path | None, most: int) -> None:
        self._folder = folder
        self._prefix = "" if folder is None else os.path.join(folder, "")  # noqa: PTH118 - as text, for every row
        self._most = most
        self._stores: Sequence[ScoreStore] = ()
        if folder is not None:
            with contextlib.suppress(OSError):  # then none can be written
                folder.mkdir()

    def find_in(self, *stores: ScoreStore) -> None:
        """Where stored ones are to be looked for."""
        self._stores = stores

    def wants(self, row: int) -> bool:
        """Whether the picture of a row, by its position in the source, is to have one."""
        return row < self._most

    def stored(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Those that are stored for the sha256 of pictures."""
        found: dict[bytes, bytes] = {}
        for store in self._stores:
            found |= store.thumbnails_of_many([digest for digest in digests if digest not in found])
        return found

    def take(self, row: int, thumbnail: bytes) -> bool:
        """Writes the one of a row; returns whether it is there."""
        if self._folder is None:
            return True
        try:
            write_new_file(f"{self._prefix}{row}.webp", thumbnail)
        except OSError:
            return False  # a full disk fails the job elsewhere
        return True

    def stop(self) -> None:
        """Removes the folder; no more are wanted."""
        self._most = 0
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
