"""One file from the Hugging Face hub, through the client's own cache, verified.

The client (huggingface_hub) caches, locks, resumes, draws a bar, and follows `HF_TOKEN`, `HF_ENDPOINT`,
`HF_HUB_OFFLINE`, `HF_HOME` and the proxies. Added here: the check against a hash, a stop that is obeyed at once, lines
of progress where there is no terminal, and messages that say what to do.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wd14.errors import DownloadError, JobStoppedError
from wd14.hub_answers import check_answers
from wd14.model.files.download_errors import PUBLIC_HUB, FileNotInRepositoryError, conditions, problem_of
from wd14.model.files.hashes import sha256_of
from wd14.stop import StopToken
from wd14.text import duration
from wd14.threads import BackgroundCall
from wd14.types import Log

#: Seconds between two looks at a download, and between two lines about it.
_LOOK = 0.1
_LINE = 5.0

#: Seconds to wait before a second and a third try, and the longest wait that the hub may ask for instead. The client
#: gives up at once on 5xx (0.34 and 2.4, for the content), on 429 (2.4, for the metadata) and on a connection that is
#: cut (0.34).
_WAITS = (1.0, 3.0)
_LONGEST_WAIT = 60.0

#: A revision that stays what it is.
_COMMIT = re.compile("[0-9a-f]{40}")

#: How the hub is told who asks.
_CLIENT = "wd14-captioner"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository, and the hash it must have."""

    repo: str
    path: str
    revision: str
    sha256: str | None = None
    gated: bool = False  #: whether it is known that the hub asks who wants it

    @property
    def url(self) -> str:
        """Where a person can fetch it."""
        return f"{_endpoint()}/{self.repo}/resolve/{self.revision}/{self.path}"

    def __str__(self) -> str:
        return f"{self.repo}/{self.path}"


def cached(file: RemoteFile) -> Path | None:
    """The file's place in the client's cache, or None. Nothing is asked or verified."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repo, file.path, revision=file.revision)
    return Path(found) if isinstance(found, str) else None


def is_absent(file: RemoteFile) -> bool:
    """Whether the hub has said earlier that this revision has no such file. Nothing is asked."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repo, file.path, revision=file.revision)
    return found is not None and not isinstance(found, str)


def revision_of(path: Path) -> str | None:
    """The commit of a file in the client's cache (`…/snapshots/<commit>/…`), or None."""
    _, found, rest = path.as_posix().rpartition("/snapshots/")
    return rest.partition("/")[0] if found else None


def fetch_if_there(file: RemoteFile, *, log: Log, stop: StopToken) -> Path | None:
    """As `fetch`, of a file that a repository may have; None where it has not. The hub is asked once in all.

    Raises:
        ModelError: as `fetch`.
        JobStoppedError: a stop was asked for.
    """
    from huggingface_hub import constants

    if is_absent(file) or (constants.HF_HUB_OFFLINE and cached(file) is None):
        return None
    try:
        return fetch(file, by_hand="", log=log, stop=stop)
    except FileNotInRepositoryError:
        return None


def fetch(file: RemoteFile, *, by_hand: str, log: Log, stop: StopToken) -> Path:
    """A verified copy of the file, from the cache or the hub. A copy that does not match is fetched again, once.

    Args:
        file: what to fetch.
        by_hand: ends the message of a failure: how to get the file without the hub.
        log: is told about the download.
        stop: ends the download.

    Raises:
        FileNotInRepositoryError: the hub has no such file.
        ModelNotFoundError: the hub has no such repository or revision.
        DownloadError: it cannot be fetched, or the hub has another file than the pinned one.
        JobStoppedError: a stop was asked for.
    """
    path = cached(file)
    if path is None:
        _check_token(file, by_hand)
    if path is None or not _COMMIT.fullmatch(file.revision):  # a branch may have moved: the hub is asked
        path = _download(file, by_hand, log, stop)
    wrong = _mismatch(file, path, stop)
    if wrong is not None:
        log(f"The copy of {file} is damaged ({wrong}): fetching it again")
        _discard(path)
        path = _download(file, by_hand, log, stop)
        wrong = _mismatch(file, path, stop)
    if wrong is not None:
        _discard(path)
        raise DownloadError(f"{file} is not the expected file: {wrong}, twice, from {file.url}. {by_hand}")
    return path


def _check_token(file: RemoteFile, by_hand: str) -> None:
    """Checks that there is a token where the public hub is known to ask for one. Asks nobody.

    Raises:
        DownloadError: there is none; the message says what to do.
    """
    from huggingface_hub import constants, get_token

    if file.gated and _endpoint() == PUBLIC_HUB and not constants.HF_HUB_OFFLINE and get_token() is None:
        raise DownloadError(
            f"{file.repo} is given only to those who accepted its terms, and no token is set. {conditions(file.repo)}"
            f" {by_hand}"
        )


def _mismatch(file: RemoteFile, path: Path, stop: StopToken) -> str | None:
    """How a copy differs from what it must be, or None when it is right."""
    expected = file.sha256
    if expected is None and path.is_symlink() and re.fullmatch(r"[0-9a-f]{64}", path.readlink().name):
        expected = path.readlink().name  # the cache's name for a large file is its hash
    found = expected and sha256_of(path, stop=stop)
    return None if found == expected else f"expected sha256 {expected}, found {found}"


def _discard(path: Path) -> None:
    """Takes a wrong file out of the cache: its name there, and its content, which may be two links away."""
    while path.is_symlink():
        link, path = path, path.parent / path.readlink()
        link.unlink()
    path.unlink(missing_ok=True)


def _download(file: RemoteFile, by_hand: str, log: Log, stop: StopToken) -> Path:
    """The file from the hub, or from the cache where the hub says that it is still the same."""
    start_over = False
    for wait in (*_WAITS, None):
        try:
            return _watched(file, log, stop, start_over=start_over)
        except JobStoppedError:
            raise
        except Exception as error:  # the client raises its own errors, its network library's and the system's
            problem = problem_of(error, file.repo, gated=file.gated)
            pause = problem.wait if problem.wait is not None else wait
            if wait is None or pause is None or not problem.passing or pause > _LONGEST_WAIT:
                parts = [f"{file} (revision {file.revision}) could not be fetched: {problem.what}.", problem.advice]
                parts += [by_hand] if problem.error is DownloadError else []
                raise problem.error(" ".join(filter(None, parts))) from error
        log(f"{file}: {problem.what}; trying again in {pause:.0f} s")
        start_over = problem.start_over
        stop.wait(pause)
        stop.check()
    raise AssertionError("the last try returns or raises")


def _watched(file: RemoteFile, log: Log, stop: StopToken, *, start_over: bool) -> Path:
    """Lets the client work in a thread, which a stop leaves behind: no client that waits for a server can be woken.

    Raises:
        TimeoutError: the hub has not answered within HF_HUB_ETAG_TIMEOUT. The client waits that long for each of the
            hub's dozen addresses, and longer for a silent name server; behind a firewall that makes minutes.
    """
    from huggingface_hub import constants

    progress = _Progress(file, log)
    patience = time.monotonic() + constants.HF_HUB_ETAG_TIMEOUT + 1.0
    call = BackgroundCall(lambda: _call_client(file, progress, start_over=start_over), "wd14-download")
    call.start()
    while not call.wait(_LOOK):
        stop.check()
        if progress.asking and time.monotonic() > patience:
            raise TimeoutError("the hub did not answer")
        progress.look()
    return call.result()


def _call_client(file: RemoteFile, progress: _Progress, *, start_over: bool) -> Path:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    check_answers()
    place: dict[str, Any] = {"revision": file.revision, "endpoint": _endpoint()}
    if cached(file) is None and not constants.HF_HUB_OFFLINE:
        # Asked first: where nothing answers, the new client itself goes on asking for minutes.
        url = hf_hub_url(file.repo, file.path, **place)
        progress.asking = True
        try:
            found = get_hf_file_metadata(url, library_name=_CLIENT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        except EntryNotFoundError:
            _note_absence(file)
            raise
        progress.asking = False
        progress.total = found.size
    return Path(hf_hub_download(file.repo, file.path, **place, library_name=_CLIENT, force_download=start_over))


def _note_absence(file: RemoteFile) -> None:
    """Notes in the client's cache that a commit has no such file, as the client does: it is not asked for again."""
    if _COMMIT.fullmatch(file.revision):
        note = _repository(file) / ".no_exist" / file.revision / file.path
        with contextlib.suppress(OSError):  # then it is asked for again
            note.parent.mkdir(parents=True, exist_ok=True)
            note.touch()


def _repository(file: RemoteFile) -> Path:
    """The repository's folder in the client's cache."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{file.repo.replace('/', '--')}"


class _Progress:
    """Says now and then how far a download is, where stderr, on which the client draws its bar, is no terminal."""

    def __init__(self, file: RemoteFile, log: Log) -> None:
        self.asking = False  #: whether the hub has still to answer for the first time
        self.total: int | None = None  #: bytes, once the hub has said
        self._file = file
        self._log = log
        self._blobs = _repository(file) / "blobs"
        self._started = time.time()
        self._due = time.monotonic() + 1.0
        self._first: tuple[float, int] | None = None  # when bytes were first seen, and how many

    def look(self) -> None:
        """Says a line when it is time and at least a hundredth has arrived."""
        now = time.monotonic()
        if now < self._due or sys.stderr.isatty():
            return
        self._due = now + _LINE
        size = self._arrived()
        if not size or size < (self.total or 0) / 100:
            return
        then, before = self._first = self._first or (now, size)
        line = f"Downloading {self._file}: {_megabytes(size)}"
        if self.total:
            line = f"Downloading {self._file}: {size / self.total:.0%} of {_megabytes(self.total)}"
        if size > before:
            rate = (size - before) / (now - then)
            line += f", {_megabytes(rate)}/s"
            if self.total:
                line += f", {duration((self.total - size) / rate)} left"
        self._log(line)

    def _arrived(self) -> int:
        """Bytes of the largest file that was written to since the start."""
        sizes = [0]
        for path in self._blobs.glob("*.incomplete"):
            with contextlib.suppress(FileNotFoundError):  # finished between the two calls
                state = path.stat()
                sizes += [state.st_size] if state.st_mtime >= self._started - 2 else []
        return max(sizes)


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB" if count < 1e8 else f"{count / 1e6:,.0f} MB"


def _endpoint() -> str:
    """The hub's address: `$HF_ENDPOINT`, or the public one."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or PUBLIC_HUB
