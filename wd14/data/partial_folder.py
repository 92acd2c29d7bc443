"""The hidden folder that an output is built in, moved into place as a whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from wd14.data.output_names import shortened
from wd14.run_folder import RunFolder

#: O_BINARY: Windows would translate line ends.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

#: The errors of a rename onto something that is there: a folder with files, a file, a link.
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


def write_new_file(path: str, data: bytes, *, durable: bool = False) -> None:
    """Writes a file that does not exist yet, in three system calls: every picture goes through here.

    Args:
        path: the file.
        data: its bytes.
        durable: wait until they are on the disk.

    Raises:
        FileExistsError: it exists.
        OSError: it cannot be written.
    """
    handle = os.open(path, _NEW_FILE, 0o666)
    try:
        written = os.write(handle, data)
        while written < len(data):  # the system may write a part
            written += os.write(handle, memoryview(data)[written:])
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)


class PartialFolder(RunFolder):
    """A new hidden folder, which becomes the dataset.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, parent: Path, name: str) -> None:
        self._place: Path | None = None
        super().__init__(parent, shortened(name, 100))

    def move_to(self, place: Path) -> bool:
        """Moves the folder, in one step; returns False when something is at that place.

        Raises:
            OSError: it cannot be moved.
        """
        self._place = place  # before the rename: an interrupt may come right after it
        try:
            # A rename replaces at most an empty folder, on every system, so two runs cannot take one place.
            self.path.rename(place)
        except OSError as error:
            if error.errno in _OCCUPIED:
                return False
            raise
        self._release()
        return True

    @property
    def moved_to(self) -> Path | None:
        """Where the folder was moved to; None while it was not."""
        return None if self._place is None or self.path.exists() else self._place

    def remove(self) -> None:
        """Removes the folder with all that is in it, if it was not moved."""
        self._place = self.moved_to
        super().remove()
