"""Pictures that wait for their turn to go into an archive."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from wd14.images.formats import extension, sniff_extension
from wd14.regular_files import open_file
from wd14.run_folder import temporary_folder
from wd14.types import InputRow, PictureToSave

#: Pictures of fewer bytes wait in memory: there are two hundred at most, and a file each would cost more.
_SMALL = 64 << 10


@dataclass(frozen=True, slots=True)
class Staged:
    """A picture that waits, in memory or in a file."""

    extension: str  #: with its dot
    data: bytes | None = None
    path: Path | None = None

    def bytes(self) -> bytes:
        """The encoded picture."""
        if self.path is None:
            return self.data or b""
        with open_file(self.path) as file:
            return file.read()

    def remove(self) -> None:
        """Lets go of it."""
        if self.path is not None:
            with contextlib.suppress(OSError):  # the folder goes with all that is in it
                self.path.unlink()


class StagedPictures:
    """Takes pictures from any thread; a context manager, whose end removes what is left.

    Raises:
        OSError: there is no room for them in the temporary folder.
    """

    def __enter__(self) -> Self:
        self._folder = temporary_folder()
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.remove()

    def stage(self, row: InputRow, picture: PictureToSave) -> Staged:
        """Keeps a picture until its row is written."""
        suffix = sniff_extension(picture.data) or extension(row.name) or ".img"
        if len(picture.data) < _SMALL:
            return Staged(suffix, data=picture.data)
        path = self._folder.path / str(row.index)
        path.write_bytes(picture.data)
        return Staged(suffix, path=path)
