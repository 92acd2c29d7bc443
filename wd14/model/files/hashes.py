"""Which model this is: the sha256 of its files, worked out once for each file and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

from wd14.cache_folders import hashes_folder
from wd14.errors import ModelNotFoundError, StoreError
from wd14.stop import StopToken

_CHUNK = 1 << 22

#: Part of every identity; raised when the same files come to mean other scores.
_MEANING = "1"


def identity_of(*parts: str) -> str:
    """The name of a model in the score store: a hash over its files' hashes and how its input and output are read."""
    return hashlib.sha256("\n".join((_MEANING, *parts)).encode()).hexdigest()


def sha256_of(path: Path, *, stop: StopToken | None = None) -> str:
    """The sha256 of a file, in hexadecimal.

    It is remembered in the user's cache folder for as long as the file's size, time and inode stay what they are, since
    hashing some hundred megabytes takes a second.

    Raises:
        ModelNotFoundError: there is no such file, or it cannot be read.
        JobStoppedError: a stop was asked for.
    """
    try:
        real = path.resolve(strict=True)
        stat = real.stat()
        stamp = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
        note = _note(real)
        known = _recall(note, stamp)
        if known is not None:
            return known
        sha256 = _hash(real, stop)
        unchanged = real.stat()
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"there is no file {path}") from error
    except OSError as error:
        raise ModelNotFoundError(f"{path} cannot be read: {error.strerror or error}") from error
    if note is not None and f"{unchanged.st_size} {unchanged.st_mtime_ns} {unchanged.st_ino}" == stamp:
        _remember(note, stamp, sha256, real)
    return sha256


def _hash(path: Path, stop: StopToken | None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if stop is not None:
                stop.check()
    return digest.hexdigest()


def _note(path: Path) -> Path | None:
    """Where a file's hash is remembered: one small file each, so that processes do not disturb one another."""
    try:
        folder = hashes_folder()
    except StoreError:
        return None
    return folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def _recall(note: Path | None, stamp: str) -> str | None:
    if note is None:
        return None
    try:
        entry = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return None  # not remembered yet, or damaged: the file is hashed again
    if not isinstance(entry, dict) or entry.get("stamp") != stamp:
        return None
    sha256 = entry.get("sha256")
    return sha256 if isinstance(sha256, str) and len(sha256) == 64 else None


def _remember(note: Path, stamp: str, sha256: str, path: Path) -> None:
    entry = {"path": str(path), "stamp": stamp, "sha256": sha256}
    # A cache folder that cannot be written to costs time at the next start and nothing else.
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=note.parent, suffix=".tmp")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(entry, file)
            temporary.replace(note)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
