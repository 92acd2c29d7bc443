"""Reads the encoded picture of a row."""

from __future__ import annotations

import os

from wd14.errors import ImageTooLargeError, MissingImageError, UnreadableImageError
from wd14.regular_files import FileTooLargeError, GrowingFileError, NotRegularFileError, read_file
from wd14.types import InputRow

#: Larger files are refused: no picture has a gigabyte, but a disk image named .png may.
MAX_BYTES = 1 << 30


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
        return read_file(row.path, MAX_BYTES)
    except FileTooLargeError as error:
        raise ImageTooLargeError(error.reason) from error
    except (NotRegularFileError, GrowingFileError) as error:
        raise UnreadableImageError(error.reason) from error
    except FileNotFoundError as error:
        raise MissingImageError("file not found") from error
    except OSError as error:
        raise UnreadableImageError(f"cannot be read: {error.strerror or error}") from error


def bytes_to_read(row: InputRow) -> int:
    """Bytes of a row's picture that lie in a file; 0 where they are in memory, or there are none that can be read."""
    if row.path is None or row.data is not None:
        return 0
    try:
        return os.stat(row.path).st_size  # noqa: PTH116 - half the time of Path.stat
    except (OSError, ValueError):  # `read_picture` says why
        return 0


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ImageTooLargeError(f"the file has {size:,} bytes; the limit is {MAX_BYTES:,}")
