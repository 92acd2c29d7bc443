"""The one door to files of others: only regular files are opened, and small ones are read up to a limit.

Opening a pipe would wait for a writer, a device has no end, and a file with a hole has any size that it claims.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

#: Opening a pipe does not wait for a writer. (O_BINARY exists on Windows only, where text is the default.)
_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class RefusedFileError(OSError):
    """A file is there and is not read. `strerror` says why, as it does for the system's own errors."""

    number = errno.EINVAL

    def __init__(self, reason: str) -> None:
        super().__init__(self.number, reason)
        self.reason = reason


class NotRegularFileError(RefusedFileError):
    """A folder, pipe, socket or device, where a file was expected."""


class FileTooLargeError(RefusedFileError):
    """A file has more bytes than it may have."""

    number = errno.EFBIG


class GrowingFileError(RefusedFileError):
    """A file became longer while it was read."""

    number = errno.EBUSY


def open_file(path: str | Path) -> BinaryIO:
    """Opens a regular file to read its bytes.

    Raises:
        NotRegularFileError: it is something else.
        OSError: it cannot be opened.
    """
    handle, _ = _open(path)
    try:
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_file(path: str | Path, largest: int) -> bytes:
    """All bytes of a regular file, in one read where the system can.

    Args:
        path: the file.
        largest: bytes that it may have.

    Raises:
        NotRegularFileError: it is something else.
        FileTooLargeError: it has more than `largest` bytes; nothing was read.
        GrowingFileError: it became longer meanwhile.
        OSError: it cannot be read.
    """
    handle, size = _open(path)
    try:
        if size > largest:
            raise FileTooLargeError(f"the file has {size:,} bytes; the limit is {largest:,}")
        # One byte more than the file has, to see whether it grows.
        data = os.read(handle, size + 1)
        while len(data) < size and (more := os.read(handle, size + 1 - len(data))):
            data += more
    finally:
        os.close(handle)
    if len(data) > size:
        raise GrowingFileError("the file is still growing: wait until it is complete")
    return data


def _open(path: str | Path) -> tuple[int, int]:
    """A handle to read from, and the file's size in bytes."""
    handle = os.open(path, _WITHOUT_WAITING)
    state = os.fstat(handle)
    if stat.S_ISREG(state.st_mode):
        return handle, state.st_size
    os.close(handle)
    raise NotRegularFileError(f"it is {kind_of(state.st_mode)}, not a file")


def mode_of(path: Path) -> int:
    """What lies there, as an `st_mode`; 0 where nothing does, and for what no system takes as a path or lets us see."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def whole_path(name: str) -> str:
    """What lies there as it is named from any folder; a name of nothing stays as it is."""
    try:
        path = Path(name).expanduser()
    except RuntimeError:
        return name
    return os.path.abspath(path) if name and mode_of(path) else name  # noqa: PTH100 - without `..`, and its links stay


def last_part(name: str) -> str:
    """What lies there by its name alone, for others, whom our folders do not concern; a name of nothing stays."""
    whole = whole_path(name)
    return os.path.basename(whole) if os.path.isabs(whole) and mode_of(Path(whole)) else name  # noqa: PTH117, PTH119


def kind_of(mode: int) -> str:
    """What something is that is no regular file, by its `st_mode`."""
    return "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
