"""One file from the Hugging Face hub, through the client's own cache, verified.

The client (huggingface_hub) resumes, locks, and follows `HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `HF_HOME` and the
proxies. Added here: the check against a pinned hash, progress where there is no terminal, a stop that is obeyed, and
messages that say what to do.
"""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wd14.errors import DownloadError, ModelNotFoundError
from wd14.model.files.download_errors import Problem, problem_of
from wd14.model.files.hashes import sha256_of
from wd14.stop import StopToken
from wd14.text import duration
from wd14.threads import BackgroundCall
from wd14.types import Log

#: Seconds between two looks at a download, and between two lines about it.
_LOOK = 0.1
_LINE = 5.0

#: Seconds before a download is tried again that the hub could not serve for a moment. (The client resumes transfers
#: that break off, but gives up at the first answer of 500 to 599.)
_WAITS = (1.0, 3.0)

#: How the hub is told who asks.
_CLIENT = "wd14-captioner"

_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileNotThereError(ModelNotFoundError):
    """The repository and the revision are there, the file is not."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository, and what it must be."""

    repo: str
    path: str
    revision: str
    sha256: str | None = None
    size: int | None = None  #: bytes; exact

    @property
    def url(self) -> str:
        """Where a person can fetch it."""
        return f"{endpoint()}/{self.repo}/resolve/{self.revision}/{self.path}"

    def __str__(self) -> str:
        return f"{self.repo}/{self.path}"


def endpoint() -> str:
    """The hub's address: `$HF_ENDPOINT`, or the public one."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def cached(file: RemoteFile) -> Path | None:
    """The file's place in the client's cache, or None. Nothing is asked or verified."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repo, file.path, revision=file.revision)
    return Path(found) if isinstance(found, str) else None


def fetch(
    file: RemoteFile,
    *,
    by_hand: str = "",
    log: Log | None = None,
    stop: StopToken | None = None,
) -> Path:
    """A verified copy of the file, from the cache or the hub.

    A copy that does not match is fetched again, once.

    Args:
        file: what to fetch.
        by_hand: ends the message of a failure: where a person can put the file.
        log: is told about the download.
        stop: ends the download.

    Raises:
        FileNotThereError: the hub has no such file.
        ModelNotFoundError: the hub has no such repository or revision.
        DownloadError: it cannot be fetched, or what the hub has is not the pinned file.
        JobStoppedError: a stop was asked for.
    """
    have = cached(file)
    if have is None or re.fullmatch(r"[0-9a-f]{40}", file.revision) is None:
        have = _download(file, by_hand, log, stop, force=False)
    wrong = _mismatch(file, have, stop)
    if wrong is None:
        return have
    _say(log, f"The copy of {file} is damaged ({wrong}): fetching it again")
    _discard(have)
    path = _download(file, by_hand, log, stop, force=True)
    wrong = _mismatch(file, path, stop)
    if wrong is not None:
        _discard(path)
        raise DownloadError(
            f"{file} is not the expected file: {wrong}, also after fetching it again from {file.url}. {by_hand}"
        )
    return path


def revision_of(path: Path) -> str | None:
    """The commit of a file in the client's cache (`…/snapshots/<commit>/…`), or None."""
    parts = path.parts
    if "snapshots" not in parts:
        return None
    at = len(parts) - 1 - parts[::-1].index("snapshots")
    return parts[at + 1] if at + 1 < len(parts) else None


def _mismatch(file: RemoteFile, path: Path, stop: StopToken | None) -> str | None:
    """How a copy differs from what it must be, or None when it is right.

    Where no hash is pinned, the cache's own name for a large file is its hash.
    """
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"expected {file.size:,} bytes, found {size:,}"
    blob = path.resolve().name
    expected = file.sha256 or (blob if _SHA256.fullmatch(blob) else None)
    if expected is None:
        return None
    found = sha256_of(path, stop=stop)
    return None if found == expected else f"expected sha256 {expected}, found {found}"


def _discard(path: Path) -> None:
    """Takes a wrong file out of the cache: its name there, and its content."""
    blob = path.resolve()
    path.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)


def _say(log: Log | None, line: str) -> None:
    if log is not None:
        log(line)


def _download(file: RemoteFile, by_hand: str, log: Log | None, stop: StopToken | None, *, force: bool) -> Path:
    """The file from the hub, or from the cache where the hub says that it is still the same."""
    for wait in (*_WAITS, None):
        try:
            return _watched(file, log, stop, force=force)
        except Exception as error:  # the client raises its own errors, its network library's and the system's
            problem = problem_of(error)
            if wait is None or not problem.passing:
                raise _failure(file, problem, by_hand) from error
        _say(log, f"{file}: {problem.what}; trying again in {wait:.0f} s")
        force = force or problem.damaged
        if stop is None:
            time.sleep(wait)
        elif stop.wait(wait):
            stop.check()
    raise AssertionError("the last try returns or raises")


def _watched(file: RemoteFile, log: Log | None, stop: StopToken | None, *, force: bool) -> Path:
    """Lets the client work in a thread and watches: a client that waits for a silent server cannot be stopped."""
    progress = _Progress(file, log)
    call = BackgroundCall(lambda: _call_client(file, progress, force=force), "wd14-download")
    call.start()
    while not call.wait(_LOOK):
        if stop is not None:
            stop.check()
        progress.look()
    return call.result()


def _call_client(file: RemoteFile, progress: _Progress, *, force: bool) -> Path:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url

    address = endpoint()
    if (force or cached(file) is None) and not constants.HF_HUB_OFFLINE:
        # Asked first: where nothing answers, the client itself would go on asking for minutes.
        url = hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=address)
        found = get_hf_file_metadata(url, library_name=_CLIENT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        progress.total = progress.total or found.size
    options: dict[str, Any] = {"force_download": True} if force else {}
    place = hf_hub_download(
        file.repo, file.path, revision=file.revision, endpoint=address, library_name=_CLIENT, **options
    )
    return Path(place)


class _Progress:
    """Says now and then how far a download is, where stderr, on which the client draws its bar, is no terminal."""

    def __init__(self, file: RemoteFile, log: Log | None) -> None:
        self.total = file.size  #: bytes; None = not known
        self._file = file
        self._log = log
        self._started = time.time()
        self._due = time.monotonic() + 1.0
        self._first: tuple[float, int] | None = None  # when bytes were first seen, and how many

    def look(self) -> None:
        """Says a line when it is time."""
        now = time.monotonic()
        if self._log is None or now < self._due or sys.stderr.isatty():
            return
        self._due = now + _LINE
        size = self._arrived()
        if not size:
            return
        line = f"Downloading {self._file}: {_megabytes(size)}"
        if self.total:
            line = f"Downloading {self._file}: {size / self.total:.0%} of {_megabytes(self.total)}"
        if self._first is None:
            self._first = (now, size)
        elif size > self._first[1]:
            rate = (size - self._first[1]) / (now - self._first[0])
            line += f", {_megabytes(round(rate))}/s"
            if self.total:
                line += f", {duration((self.total - size) / rate)} left"
        self._log(line)

    def _arrived(self) -> int:
        from huggingface_hub import constants

        blobs = Path(constants.HF_HUB_CACHE) / f"models--{self._file.repo.replace('/', '--')}" / "blobs"
        size = 0
        for path in blobs.glob("*.incomplete"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue  # finished between the two calls
            if state.st_mtime >= self._started - 2:
                size = max(size, state.st_size)
        return size


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count < 1e8 else f"{count / 1e6:,.0f} MB"


def _failure(file: RemoteFile, problem: Problem, by_hand: str) -> DownloadError | ModelNotFoundError:
    kind: type[DownloadError | ModelNotFoundError] = DownloadError
    if problem.not_found:
        kind = FileNotThereError if problem.file_only else ModelNotFoundError
    advice = f" {problem.advice}" if problem.advice else ""
    hand = f" {by_hand}" if by_hand and not problem.not_found else ""
    return kind(f"{file} (revision {file.revision}) could not be fetched: {problem.what}.{advice}{hand}")
