"""Which model this is: the sha256 of its files, worked out once for each file and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from wd14.cache_folders import cache_folder
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

    It is remembered in the user's cache folder for as long as the file's size, time and inode stay the same, since
    hashing some hundred megabytes takes a second.

    Raises:
        ModelNotFoundError: there is no such file, or it cannot be read.
        JobStoppedError: a stop was asked for.
    """
    try:
        real = path.resolve(strict=True)
        note, stamp = _note(real), _stamp(real)
        sha256 = _recall(note, stamp) if note is not None else None
        if sha256 is None:
            sha256 = _hash(real, stop or StopToken())
            if note is not None and _stamp(real) == stamp:
                _remember(note, {"path": str(real), "stamp": stamp, "sha256": sha256})
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"there is no file {path}") from error
    except OSError as error:
        raise ModelNotFoundError(f"{path} cannot be read: {error.strerror or error}") from error
    return sha256


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"


def _hash(path: Path, stop: StopToken) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
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
    with contextlib.suppress(OSError, ValueError):  # not remembered yet, or damaged: the file is hashed again
        known = json.loads(note.read_bytes())
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
