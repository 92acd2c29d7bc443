"""Reads the encoded picture of a row."""

from __future__ import annotations

import os
import stat

from wd14.errors import ImageTooLargeError, MissingImageError, UnreadableImageError
from wd14.types import InputRow

#: Larger files are refused: no picture has a gigabyte, but a disk image named .png may.
MAX_BYTES = 1 << 30

#: Opening a pipe does not wait for a writer. (O_BINARY exists on Windows only, where text is the default.)
_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_picture(row: InputRow) -> bytes:
    """The encoded picture of a row.

    Raises:
        RowError: the row's own error, or: the file is missing, not readable, not a regular file, or over `MAX_BYTES`.
    """
    if row.error is not None:
        raise row.error
    if row.data is not None:
        _check_size(len(row.data))
        return row.data
    if row.path is None:
        raise MissingImageError("the row holds no image")
    try:
        handle = os.open(row.path, _WITHOUT_WAITING)
        try:
            return _read_file(handle)
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise MissingImageError("file not found") from error
    except OSError as error:
        raise UnreadableImageError(f"cannot be read: {error.strerror or error}") from error


def _read_file(handle: int) -> bytes:
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        kind = "a folder" if stat.S_ISDIR(state.st_mode) else "a pipe, socket or device"
        raise UnreadableImageError(f"it is {kind}, not a file")
    size = state.st_size
    _check_size(size)
    # One byte more than the file has, to see whether it grows.
    data = os.read(handle, size + 1)
    while len(data) < size and (more := os.read(handle, size + 1 - len(data))):
        data += more
    if len(data) > size:
        raise UnreadableImageError("the file is still growing: wait until it is complete")
    return data


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ImageTooLargeError(f"the file has {size:,} bytes; the limit is {MAX_BYTES:,}")
