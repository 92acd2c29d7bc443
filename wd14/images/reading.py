"""The bytes of a row's picture."""

from __future__ import annotations

import os
import stat

from wd14.errors import ImageTooLargeError, MissingImageError, UnreadableImageError
from wd14.types import InputRow

#: No picture has a gigabyte; a disk image with a picture's name may.
MAX_BYTES = 1 << 30

#: O_NONBLOCK: a pipe in the file's place must not block the thread. O_BINARY: Windows has a text mode.
_READ_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_picture(row: InputRow, max_bytes: int = MAX_BYTES) -> bytes:
    """The encoded picture of a row.

    Raises:
        RowError: the row cannot give one: missing, not readable, no regular file, over `max_bytes`, or what the
            reader of the dataset found.
    """
    if row.error is not None:
        raise row.error
    if row.data is not None:
        _check_size(len(row.data), max_bytes)
        return row.data
    if row.path is None:
        raise MissingImageError("the row holds no image")
    try:
        handle = os.open(row.path, _READ_WITHOUT_WAITING)
        try:
            return _read_file(handle, max_bytes)
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise MissingImageError("file not found") from error
    except OSError as error:
        raise UnreadableImageError(f"cannot be read: {error.strerror or error}") from error


def _read_file(handle: int, max_bytes: int) -> bytes:
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        kind = "a folder" if stat.S_ISDIR(state.st_mode) else "a pipe, socket or device"
        raise UnreadableImageError(f"it is {kind}, not a file")
    size = state.st_size
    _check_size(size, max_bytes)
    # One byte more than the file has, which shows that it grows; not `max_bytes`, for which Python would make room.
    data = os.read(handle, size + 1)
    while len(data) < size and (more := os.read(handle, size + 1 - len(data))):
        data += more
    if len(data) > size:
        raise UnreadableImageError("the file is growing: something still writes it")
    return data


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ImageTooLargeError(f"the file has {size:,} bytes; the limit is {max_bytes:,}")
