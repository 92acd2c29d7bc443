"""Files and folders of a dataset in the making: locked while their run lives, never replacing."""

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

#: (Windows has a text mode.)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_new_file(path: str, data: bytes) -> None:
    """Writes a file that is not there yet, with no more calls than it takes.

    Raises:
        FileExistsError: it is there already.
        OSError: as the system says.
    """
    handle = os.open(path, _NEW_FILE, 0o666)
    try:
        written = os.write(handle, data)
        while written < len(data):  # the system may take a part
            written += os.write(handle, memoryview(data)[written:])
    finally:
        os.close(handle)


class PartialFolder:
    """A hidden folder that a run builds its dataset in, and nobody takes for a dataset.

    A locked file beside it lasts from before the folder is there until after it is gone, so whenever a run is killed,
    a later one can tell what it left behind and clear it away. (On Windows, and on filesystems without locks, there
    is no such file; leftovers stay there until somebody removes them.)
    """

    def __init__(self, parent: Path, name: str) -> None:
        while True:
            base = f".{shortened(name, 100)}-{secrets.token_hex(4)}"
            self.path = parent / (base + _PARTIAL)
            self._lock_file = parent / (base + _LOCK)
            self._lock: int | None = None
            if sys.platform == "win32":
                break
            try:
                self._lock = _new_lock(self._lock_file)
                break
            except BlockingIOError:  # another run takes it for a leftover, as it was not locked yet
                continue
        try:
            self.path.mkdir()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Gives the lock back, when the folder has moved into place or was removed."""
        if self._lock is not None:
            handle, self._lock = self._lock, None
            with contextlib.suppress(OSError):  # a later run clears it away
                self._lock_file.unlink()
            os.close(handle)

    def remove(self) -> None:
        """Removes the folder and all that the run put into it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None and self.path.exists():  # left to a later run
            os.close(self._lock)
            self._lock = None
        self.release()


def _new_lock(path: Path) -> int | None:
    """A new file that is locked; None on a filesystem without locks.

    Raises:
        BlockingIOError: another run has it already.
    """
    import fcntl

    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = _is_still(path, handle)
    except BlockingIOError:
        mine = False
    except OSError:
        path.unlink(missing_ok=True)
        os.close(handle)
        return None
    if not mine:
        os.close(handle)
        raise BlockingIOError(errno.EWOULDBLOCK, "another run has it", str(path))
    return handle


def _is_still(path: Path, handle: int) -> bool:
    """Whether a path is still that of an open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def clear_leftovers(parent: Path) -> list[Path]:
    """Removes what killed runs left in a folder: partial folders of ours whose lock nobody holds.

    Returns:
        The folders removed.
    """
    if sys.platform == "win32":
        return []
    import fcntl

    removed = []
    for lock in parent.glob(f".*{_LOCK}"):
        try:
            handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # gone meanwhile, or somebody else's
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_still(lock, handle):
                continue
            folder = lock.with_name(lock.name.removesuffix(_LOCK) + _PARTIAL)
            if folder.exists():
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
            # Last, so that a removal that was cut short is taken up again.
            if not folder.exists():
                lock.unlink()
        except OSError:  # its run is alive
            continue
        finally:
            os.close(handle)
    return removed


#: What a rename says when something is there already: a full folder, a file, a link.
OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}
