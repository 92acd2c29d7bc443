"""Which model this is: the sha256 of its files, worked out once for each file and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from wd14.cache_folders import cache_folder
from wd14.errors import ModelError, ModelNotFoundError, StoreError
from wd14.regular_files import open_file, read_file
from wd14.stop import StopToken

_CHUNK = 1 << 22

#: A file is remembered when it has been left alone for so long: file systems keep times by ticks of up to 2 s (FAT).
_SETTLED_NS = 2_100_000_000

#: Bytes of a note: a path and two hashes.
_LARGEST_NOTE = 1 << 16

#: Part of every identity; raised when the same files come to mean other scores.
_MEANING = "1"


def identity_of(*parts: str) -> str:
    """The name of a model in the score store: a hash over its files' hashes and how its input and output are read."""
    return hashlib.sha256("\n".join((_MEANING, *parts)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class FileHash:
    """What a file held, and how to see that it was changed since."""

    path: Path
    size: int  #: bytes
    sha256: str
    stamp: str = field(compare=False)

    def check(self) -> None:
        """Checks that the file is still the one that was hashed.

        Raises:
            ModelError: it was changed, replaced or removed.
        """
        try:
            same = _stamp(self.path.stat()) == self.stamp
        except OSError:
            same = False
        if not same:
            raise ModelError(f"{self.path} was changed while the model was opened; start again when it is complete")


def sha256_of(path: Path, *, stop: StopToken | None = None) -> str:
    """The sha256 of a file, in hexadecimal; see `hash_file`."""
    return hash_file(path, stop=stop).sha256


def hash_file(path: Path, *, stop: StopToken | None = None) -> FileHash:
    """The sha256 of a regular file.

    It is remembered in the user's cache folder, since hashing some hundred megabytes takes a second, for as long as
    the file's size, inode and times stay the same. Among these is the time of the last change of any kind, which no
    program can set: a copy that keeps size and time of the file it replaces is hashed. A file that changed a moment
    ago is not remembered: another change in the same tick of the clock would go unseen.

    Raises:
        ModelNotFoundError: there is no such file, it cannot be read, or it changed meanwhile.
        JobStoppedError: a stop was asked for.
    """
    try:
        real = path.resolve(strict=True)
        note = _note(real)
        with open_file(real) as file:
            begun, state = time.time_ns(), os.fstat(file.fileno())
            stamp = _stamp(state)
            sha256 = _recall(note, stamp) if note is not None else None
            if sha256 is None:
                sha256 = _hash(file, stop or StopToken())
                if _stamp(os.fstat(file.fileno())) != stamp:
                    raise ModelNotFoundError(f"{path} is being written to; start again when it is complete")
                settled = max(state.st_mtime_ns, state.st_ctime_ns) + _SETTLED_NS < begun
                if note is not None and settled:
                    _remember(note, {"path": str(real), "stamp": stamp, "sha256": sha256})
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"there is no file {path}") from error
    except OSError as error:
        raise ModelNotFoundError(f"{path} cannot be read: {error.strerror or error}") from error
    return FileHash(path, state.st_size, sha256, stamp)


def _stamp(state: os.stat_result) -> str:
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino} {state.st_dev}"


def _hash(file: BinaryIO, stop: StopToken) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        stop.check()
    return digest.hexdigest()


def _note(path: Path) -> Path | None:
    """Where a file's hash is remembered: one small file each, so that processes do not disturb one another."""
    try:
        return cache_folder() / "hashes" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"
    except StoreError:
        return None


def _recall(note: Path, stamp: str) -> str | None:
    # Not remembered yet, or damaged: the file is hashed again.
    with contextlib.suppress(OSError, ValueError, RecursionError):
        known = json.loads(read_file(note, _LARGEST_NOTE))
        if isinstance(known, dict) and known.get("stamp") == stamp:
            sha256 = known.get("sha256")
            return sha256 if isinstance(sha256, str) and len(sha256) == 64 else None
    return None


def _remember(note: Path, content: Mapping[str, str]) -> None:
    temporary = note.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(note)
    except OSError:  # a cache folder that cannot be written to costs time at the next start and nothing else
        with contextlib.suppress(OSError):
            temporary.unlink()
