"""`.wd14/edits.json` of a dataset, kept by a server: entries of many pages put together, written in one step."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wd14.errors import CaptionerError, ConfigError, OutputError
from wd14.json_files import parse_json
from wd14.regular_files import read_file
from wd14.review.edits import LARGEST_EDITS, TITLE, check_numbers
from wd14.review.entries import Entry, entries_in_file

#: O_BINARY: Windows would translate line ends. O_EXCL also refuses a link.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class EditFile:
    """The log of a dataset's edits, in memory and in its file.

    Any number of threads may use it, and other processes may write the file: it is read again whenever it is not as
    it was left, and what it holds is added. An entry is never lost: at most it is undone.

    A save reads nothing and writes the whole file: 10 ms with 1,000 edits of one picture, 1 to 2 s at its limit of
    100 MB (1,400,000 rows), most of which is the disk's.

    Args:
        dataset: the dataset's folder; `.wd14/edits.json` in it is read, and written with the first save.

    Raises:
        ConfigError: the file that is there is not one of edits.
        OutputError: it cannot be read, or `.wd14` leads out of the dataset.
    """

    def __init__(self, dataset: Path) -> None:
        self.path = dataset / ".wd14" / "edits.json"
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._changed: dict[str, int] = {}  # id -> the revision in which it was new or changed
        self._revision = 0
        self._left_as: tuple[int, ...] | None = None
        with self._lock:
            self._read_again()

    def since(self, revision: int) -> tuple[list[Entry], int]:
        """What changed after a revision (0 = everything), in the order of replay, and the revision now.

        Raises:
            ConfigError, OutputError: as the constructor.
        """
        with self._lock:
            self._read_again()
            return self._since(revision), self._revision

    def merge(self, entries: Iterable[Entry], revision: int = 0) -> tuple[list[Entry], int]:
        """Takes entries of a page and writes the file; they are on the disk when this returns.

        Args:
            entries: new ones, and known ones in a newer state.
            revision: what the page knows already.

        Returns:
            What else changed after `revision`, and the revision now.

        Raises:
            ConfigError: the file was changed into one that does not hold edits, or would hold more than it may; it is
                left as it is.
            OutputError: the file cannot be written. The entries are not taken.
        """
        entries = list(entries)
        with self._lock:
            self._check_place()
            before = dict(self._entries), dict(self._changed), self._revision, self._left_as
            try:
                with _locked(self._folder()):
                    self._read_again()
                    if self._take(entries):
                        self._write()
            except (OSError, CaptionerError) as error:
                # What others wrote into the file has to be read again, too.
                self._entries, self._changed, self._revision, self._left_as = before
                if isinstance(error, CaptionerError):
                    raise
                raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error
            sent = {entry.id: entry for entry in entries}
            return [each for each in self._since(revision) if sent.get(each.id) != each], self._revision

    def _since(self, revision: int) -> list[Entry]:
        found = [self._entries[name] for name, changed in self._changed.items() if changed > revision]
        return sorted(found, key=lambda entry: (entry.at, entry.id))

    def _take(self, entries: Iterable[Entry]) -> bool:
        """Adds entries to those in memory; returns whether anything is new."""
        changed = []
        for entry in entries:
            known = self._entries.get(entry.id)
            newest = entry if known is None else known.newer(entry)
            if newest is not known:
                self._entries[entry.id] = newest
                changed.append(entry.id)
        if changed:
            self._revision += 1
            self._changed.update(dict.fromkeys(changed, self._revision))
        return bool(changed)

    def _read_again(self) -> bool:
        """Adds what others wrote into the file since it was last read or written here; returns whether one did."""
        self._check_place()
        if (now := self._looks_like()) in (None, self._left_as):
            return False
        try:
            text = read_file(self.path, LARGEST_EDITS)
        except OSError as error:
            raise OutputError(f"cannot read {self.path}: {error.strerror or error}") from error
        try:
            self._take(entries_in_file(parse_json(text, TITLE, "an edits.json"), self._entries))
        except ConfigError as error:
            raise ConfigError(f"{self.path} cannot be used; repair it, or move it away. {error}") from error
        self._left_as = now
        return True

    def _write(self) -> None:
        """Replaces the file in one step; what somebody wrote into it meanwhile is added first.

        Raises:
            OSError: it stays as it was.
        """
        for left in self.path.parent.glob(f".{self.path.name}-{8 * '[0-9a-f]'}"):  # by a server that was killed
            with contextlib.suppress(OSError):
                left.unlink()
        is_current = False
        while not is_current:
            with _written_aside(self.path, self._text()) as aside:
                is_current = not self._read_again()
                if is_current:
                    aside.replace(self.path)
        self._left_as = self._looks_like()

    def _text(self) -> bytes:
        """What the file is to hold.

        Raises:
            ConfigError, OSError: it would be more than is read.
        """
        entries = sorted(self._entries.values(), key=lambda entry: (entry.at, entry.id))
        check_numbers([entry.edit for entry in entries if not entry.undone])
        edits = [_line(entry) for entry in entries if not entry.undone]
        parts = [b'{"version": 1, "edits": [', b",".join(edits), b"]"]
        if undone := [_line(entry) for entry in entries if entry.undone]:
            parts += [b', "undone": [', b",".join(undone), b"]"]
        data = b"".join([*parts, b"}\n"])
        if len(data) > LARGEST_EDITS:
            raise OSError(
                errno.EFBIG, f"it would have {len(data):,} bytes, and the most that is read is {LARGEST_EDITS:,}"
            )
        return data

    def _looks_like(self) -> tuple[int, ...] | None:
        """What changes whenever the file is written by whomever; None where there is none."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"cannot read {self.path}: {error.strerror or error}") from error
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode

    def _folder(self) -> Path:
        self.path.parent.mkdir(exist_ok=True)
        return self.path.parent

    def _check_place(self) -> None:
        for place in (self.path.parent, self.path):
            if place.is_symlink():
                raise OutputError(f"{place} is a link, and may lead out of the dataset: remove it")


def _line(entry: Entry) -> bytes:
    """A line of the file. `id`, `at` and `rev` let a page know the edit again, and a replay ignores them."""
    more = {"id": entry.id, "at": entry.at, "rev": entry.rev, **({"undone": True} if entry.undone else {})}
    return b"\n" + json_bytes({**entry.edit, **more})


def json_bytes(content: Any) -> bytes:
    """JSON in UTF-8. Half a surrogate pair, which UTF-8 does not have, becomes the escape that JSON has for it."""
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")


@contextlib.contextmanager
def _written_aside(path: Path, data: bytes) -> Iterator[Path]:
    """A file beside another one that is to take its place, on the disk already; it is removed if it does not."""
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    handle = os.open(aside, _NEW_FILE, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield aside
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other processes of ours from writing meanwhile, where the system locks folders."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network folders have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
