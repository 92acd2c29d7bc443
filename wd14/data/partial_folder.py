"""The hidden folder that an output is built in: locked while its run lives, cleared away after a killed one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import sys
from pathlib import Path

from wd14.data.output_names import shortened

_PARTIAL = ".wd14-partial"
_LOCK = ".wd14-lock"

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


class PartialFolder:
    """A new hidden folder, with a locked file beside it.

    The lock file exists from before the folder is made until after it is gone, so a later run can tell a killed run's
    folder from a living one's. Windows and some filesystems have no such locks: a killed run's folder stays there.
    """

    def __init__(self, parent: Path, name: str) -> None:
        self._lock: int | None = None
        self._place: Path | None = None
        while True:
            base = f".{shortened(name, 100)}-{secrets.token_hex(4)}"
            self.path = parent / (base + _PARTIAL)
            self._lock_file = parent / (base + _LOCK)
            with contextlib.suppress(BlockingIOError):  # another run cleared the file away before it was locked
                self._lock = _new_lock(self._lock_file)
                break
        try:
            self.path.mkdir()
        except BaseException:
            self._release()
            raise

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
        shutil.rmtree(self.path, ignore_errors=True)
        self._release(is_left=self.path.exists())

    def _release(self, *, is_left: bool = False) -> None:
        """Gives the lock back. The lock file of a folder that could not be removed stays, for a later run."""
        if self._lock is not None:
            handle, self._lock = self._lock, None
            if not is_left:
                with contextlib.suppress(OSError):
                    self._lock_file.unlink()
            os.close(handle)


def _new_lock(path: Path) -> int | None:
    """A new file, locked; None where there are no locks.

    Raises:
        BlockingIOError: another run locked or removed it first.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(path, handle):
            return handle
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        path.unlink(missing_ok=True)
        os.close(handle)
        return None
    os.close(handle)
    raise BlockingIOError(errno.EWOULDBLOCK, "another run removed it", str(path))


def _is_at(path: Path, handle: int) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def clear_leftovers(parent: Path) -> None:
    """Removes what killed runs left in a folder: partial folders whose lock file is there and not locked."""
    if sys.platform == "win32":
        return
    import fcntl

    for lock in parent.glob(f".*{_LOCK}"):
        try:
            handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # gone, or of another user
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(lock, handle):
                continue
            folder = lock.with_name(lock.name.removesuffix(_LOCK) + _PARTIAL)
            shutil.rmtree(folder, ignore_errors=True)
            # The lock file goes last, so that a removal that is cut short is taken up again.
            if not folder.exists():
                lock.unlink()
        except OSError:  # its run is alive
            continue
        finally:
            os.close(handle)
