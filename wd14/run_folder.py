"""A hidden folder that one run works in: locked while the run lives, found and removed by a later run if it was killed.

Beside the folder lies its lock file, and in the cache folder a note of where both are, so that a killed run's folder is
found from anywhere. Windows and some filesystems have no such locks: there is no note, and the folder stays.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from wd14.cache_folders import cache_folder
from wd14.errors import StoreError
from wd14.regular_files import read_file
from wd14.stop import uninterrupted

_FOLDER = ".wd14-partial"
_LOCK = ".wd14-lock"
#: Both names without their endings, as `RunFolder` makes them. Nothing of another name is ever removed.
_NAME = re.compile(r"\..+-[0-9a-f]{8}", re.DOTALL)

#: Bytes of a note: more than any path has.
_LONGEST_NOTE = 1 << 16
#: Seconds after which a note of a place that is not there is forgotten; until then it may be a disk that is unplugged.
_FORGOTTEN_AFTER = 30 * 24 * 3600.0


class RunFolder:
    """A new hidden folder `.NAME-xxxxxxxx.wd14-partial`, with a locked file beside it; a context manager.

    The lock file exists from before the folder is made until after it is gone, so a later run can tell a killed run's
    folder from a living one's. The folder is removed when the block ends, or else when the process does.

    Args:
        parent: the folder that it is made in.
        name: part of its name; at most 200 bytes.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, parent: Path, name: str) -> None:
        self._lock: int | None = None
        self._note: Path | None = None
        self._process = os.getpid()
        while True:
            base = f".{name}-{secrets.token_hex(4)}"
            self.path = parent / (base + _FOLDER)
            self._lock_file = parent / (base + _LOCK)
            with contextlib.suppress(BlockingIOError):  # another run cleared the file away before it was locked
                self._lock = _new_lock(self._lock_file)
                break
        atexit.register(self._remove_at_exit)
        try:
            if self._lock is not None:
                self._note = _write_note(self.path)
            self.path.mkdir()
        except BaseException:
            self._release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Removes the folder with all that is in it. Ctrl-C has to wait: half removed, it would be left behind."""
        with uninterrupted():
            shutil.rmtree(self.path, ignore_errors=True)
            self._release(is_left=self.path.exists())

    def _release(self, *, is_left: bool = False) -> None:
        """Gives the lock back. The lock file of a folder that could not be removed stays, for a later run."""
        atexit.unregister(self._remove_at_exit)
        if self._lock is not None:
            handle, self._lock = self._lock, None
            if not is_left:
                for file in (self._lock_file, self._note):
                    with contextlib.suppress(OSError):
                        if file is not None:
                            file.unlink()
            os.close(handle)

    def _remove_at_exit(self) -> None:
        if os.getpid() == self._process:  # and not in a fork
            self.remove()


def temporary_folder() -> RunFolder:
    """A new folder where the system has its temporary files; those of killed runs are removed first, once a process.

    Raises:
        OSError: it cannot be made.
    """
    parent = Path(tempfile.gettempdir())
    _clear_temporary(parent)
    return RunFolder(parent, "wd14")


@cache
def _clear_temporary(parent: Path) -> None:
    clear_leftovers(parent)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A folder of a killed run."""

    folder: Path
    bytes: int  #: of all its files


def clear_leftovers(parent: Path) -> None:
    """Removes what killed runs left in a folder: partial folders whose lock file is there and not locked."""
    for lock in parent.glob(f".*{_LOCK}"):
        _remove(lock)


def noted_leftovers() -> list[Leftover]:
    """What killed runs left anywhere, by their notes."""
    return [found for _, lock in _notes() if (found := _leftover(lock)) is not None]


def clear_noted_leftovers() -> list[Leftover]:
    """Removes what killed runs left anywhere, by their notes; returns what was removed."""
    removed = []
    for note, lock in _notes():
        found = _leftover(lock)
        _remove(lock)
        if not os.path.lexists(lock) and (lock.parent.is_dir() or _is_old(note)):
            with contextlib.suppress(OSError):
                note.unlink()
        if found is not None and not found.folder.exists():
            removed.append(found)
    return removed


def _leftover(lock: Path) -> Leftover | None:
    with _lock_of_killed_run(lock) as is_killed:
        folder = _folder_of(lock)
        is_left = is_killed and folder.is_dir() and not folder.is_symlink()  # no run makes a link
        return Leftover(folder, size_of(folder)) if is_left else None


def _remove(lock: Path) -> None:
    with _lock_of_killed_run(lock) as is_killed:
        if is_killed:
            folder = _folder_of(lock)
            shutil.rmtree(folder, ignore_errors=True)
            # The lock file goes last, so that a removal that is cut short is taken up again.
            if not os.path.lexists(folder):
                with contextlib.suppress(OSError):
                    lock.unlink()


def _folder_of(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix(_LOCK) + _FOLDER)


@contextlib.contextmanager
def _lock_of_killed_run(lock: Path) -> Iterator[bool]:
    """Whether a lock file is one of ours whose run is dead; held by us meanwhile."""
    if sys.platform == "win32" or not _NAME.fullmatch(lock.name.removesuffix(_LOCK)):
        yield False
        return
    import fcntl

    try:
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # gone, or of another user
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_killed = stat.S_ISREG(os.fstat(handle).st_mode) and _is_at(lock, handle)
        except OSError:  # its run is alive
            is_killed = False
        yield is_killed
    finally:
        os.close(handle)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; what cannot be read counts as none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - there may be millions
    return total


# ── Notes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _note_folder() -> Path:
    return cache_folder() / "partial"


def _write_note(folder: Path) -> Path | None:
    """Notes where a run works; None where that is not possible: then only a run in the same place can clear it away."""
    text = json.dumps({"folder": os.path.abspath(folder)})  # noqa: PTH100 - links in it are meant to stay
    with contextlib.suppress(OSError, StoreError):
        place = _note_folder()
        place.mkdir(parents=True, exist_ok=True)
        note = place / f"{secrets.token_hex(8)}.json"
        note.write_text(text, encoding="utf-8")
        return note
    return None


def _notes() -> list[tuple[Path, Path]]:
    """Every note, with the lock file of its folder; a folder inside another one comes first."""
    found = []
    with contextlib.suppress(OSError, StoreError):
        for note in sorted(_note_folder().glob("*.json")):
            folder = _read_note(note)
            if folder is not None:
                found.append((note, folder.with_name(folder.name.removesuffix(_FOLDER) + _LOCK)))
    return sorted(found, key=lambda each: -len(each[1].parts))


def _read_note(note: Path) -> Path | None:
    """The folder that a note names; None where it is no folder of a run. A note is not trusted: its name is checked."""
    try:
        content = json.loads(read_file(note, _LONGEST_NOTE))
    except (OSError, ValueError, RecursionError):
        return None
    named = content.get("folder") if isinstance(content, dict) else None
    if not isinstance(named, str) or "\0" in named or not named.endswith(_FOLDER):
        return None
    folder = Path(named)
    is_plain = folder.is_absolute() and os.path.abspath(named) == named  # noqa: PTH100 - no `..` in it
    return folder if is_plain and _NAME.fullmatch(folder.name.removesuffix(_FOLDER)) else None


def _is_old(note: Path) -> bool:
    try:
        return time.time() - note.stat().st_mtime > _FORGOTTEN_AFTER
    except OSError:
        return False


# ── Locks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


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
