"""One file from the Hugging Face hub, through the client's own cache, verified.

The client resumes, locks, follows `HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `HF_HOME` and the proxies; this file
adds what it lacks: the check against a pinned hash, patience with a busy server, progress where there is no terminal,
an end when the user stops the job, and messages that say what to do.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wd14.errors import DownloadError, JobStoppedError, ModelNotFoundError
from wd14.model.files.download_errors import Problem, problem_of
from wd14.model.files.hashes import sha256_of
from wd14.stop import StopToken
from wd14.types import Log

#: Seconds between two looks at a download, and between two lines about it.
_LOOK = 0.1
_LINE = 5.0

#: How long a hub that is busy or out of reach is asked again, in seconds; the first wait, which doubles up to eight
#: times; and the longest that the hub may ask for.
PATIENCE = 20.0
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0

#: How often a download that gets on, but is cut off again and again, is taken up.
_MOST_TRIES = 20

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
    """The file's place in the client's cache, or None. Asks nobody and verifies nothing."""
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
    if have is not None and _is_commit(file.revision):
        wrong = _mismatch(file, have, stop)
        if wrong is None:
            return have
        _say(log, f"The copy of {file} in the cache is damaged ({wrong}): fetching it again")
    else:
        have = _Download(file, by_hand, log, stop).run(force=False)
        wrong = _mismatch(file, have, stop)
        if wrong is None:
            return have
        _say(log, f"{file} arrived damaged ({wrong}): fetching it again")
    _discard(have)
    path = _Download(file, by_hand, log, stop).run(force=True)
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


def _is_commit(revision: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


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


class _Download:
    """One download: the client works in a thread, this one watches it.

    The thread is a daemon: a client that waits for a silent server cannot be woken, and must not keep a stopped job
    alive.
    """

    def __init__(self, file: RemoteFile, by_hand: str, log: Log | None, stop: StopToken | None) -> None:
        self._file = file
        self._by_hand = by_hand
        self._log = log
        self._stop = stop
        self._stopped = threading.Event()
        self._total = file.size
        self._line_due = 0.0

    def run(self, *, force: bool) -> Path:
        """Downloads, with patience.

        Raises:
            ModelNotFoundError: there is no such file.
            DownloadError: it could not be fetched.
            JobStoppedError: the user stopped the job.
        """
        given_up_at = time.monotonic() + PATIENCE
        most = 0
        for attempt in range(_MOST_TRIES):
            most_before = most
            result, most = self._try(force=force)
            if isinstance(result, Path):
                return result
            problem = problem_of(result)
            if problem.damaged:
                force = True
            elif most > most_before:
                given_up_at = time.monotonic() + PATIENCE
            wait = problem.wait if problem.wait is not None else _FIRST_WAIT * min(2**attempt, 8)
            late = time.monotonic() + min(wait, 1.0) > given_up_at
            if not problem.transient or wait > _LONGEST_WAIT or late or attempt == _MOST_TRIES - 1:
                raise self._failure(problem) from result
            _say(self._log, f"{self._file}: {problem.what}; trying again in {wait:.0f} s")
            self._pause(wait)
        raise AssertionError("the last try returns or raises")

    def _try(self, *, force: bool) -> tuple[Path | BaseException, int]:
        """One call of the client: the file or what it raised, and how many bytes there were in the end."""
        outcome: list[Path | BaseException] = []

        def work() -> None:
            try:
                outcome.append(self._call_client(force=force))
            except BaseException as error:  # noqa: BLE001 - handed to the thread that watches
                outcome.append(error)

        thread = threading.Thread(target=work, name="wd14-download", daemon=True)
        started = time.time()
        self._line_due = time.monotonic() + 1.0
        thread.start()
        size = 0
        while thread.is_alive():
            thread.join(_LOOK)
            self._check_stop(thread)
            size = max(size, self._watch(started))
        return outcome[0], size

    def _call_client(self, *, force: bool) -> Path:
        """In the thread: asks for the file, then for its content.

        The client asks by itself too, but the new one waits for minutes where nobody answers.
        """
        from huggingface_hub import hf_hub_download, hf_hub_url

        file, address = self._file, endpoint()
        options: dict[str, Any] = {"force_download": True} if force else {}
        if force or cached(file) is None:
            if not _offline():
                url = hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=address)
                found = _ask_for_size(url)
                self._total = self._total or found
            self._check_space()
        if (bar := _stoppable_bar(self._stopped)) is not None:
            options["tqdm_class"] = bar
        return Path(
            hf_hub_download(
                file.repo,
                file.path,
                revision=file.revision,
                endpoint=address,
                library_name=_CLIENT,
                **options,
            )
        )

    def _check_space(self) -> None:
        if self._total is None:
            return
        folder = _cache_folder()
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        if free < self._total:
            raise DownloadError(
                f"{self._file} needs {_size(self._total)}, and {folder} has {_size(free)} left; make room, or set"
                " HF_HOME to a folder on another disk"
            )

    def _check_stop(self, thread: threading.Thread) -> None:
        if self._stop is not None and self._stop.requested:
            self._stopped.set()
            thread.join(1.0)
            self._stop.check()

    def _pause(self, seconds: float) -> None:
        if self._stop is None:
            time.sleep(seconds)
        elif self._stop.wait(seconds):
            self._stop.check()

    def _watch(self, started: float) -> int:
        """Bytes that have arrived; says them now and then where nobody sees the client's own bar."""
        blobs = _cache_folder() / f"models--{self._file.repo.replace('/', '--')}" / "blobs"
        size = 0
        for path in blobs.glob("*.incomplete"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # finished between the two calls
            if stat.st_mtime >= started - 2:
                size = max(size, stat.st_size)
        if size and time.monotonic() >= self._line_due and not sys.stderr.isatty():
            self._line_due = time.monotonic() + _LINE
            share = f"{size / self._total:.0%} of {_size(self._total)}" if self._total else _size(size)
            _say(self._log, f"Downloading {self._file}: {share}")
        return size

    def _failure(self, problem: Problem) -> DownloadError | ModelNotFoundError:
        kind: type[DownloadError | ModelNotFoundError] = DownloadError
        if problem.not_found:
            kind = FileNotThereError if problem.file_only else ModelNotFoundError
        advice = f" {problem.advice}" if problem.advice else ""
        hand = f" {self._by_hand}" if self._by_hand and not problem.not_found else ""
        return kind(
            f"{self._file} (revision {self._file.revision}) could not be fetched: {problem.what}.{advice}{hand}"
        )


def _ask_for_size(url: str) -> int | None:
    from huggingface_hub import constants, get_hf_file_metadata

    return get_hf_file_metadata(url, library_name=_CLIENT, timeout=constants.HF_HUB_ETAG_TIMEOUT).size


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _cache_folder() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _stoppable_bar(stopped: threading.Event) -> type[Any] | None:
    """The client's progress bar, made to end a download; None for a client that takes none (below 1.0)."""
    import inspect

    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import tqdm

    if "tqdm_class" not in inspect.signature(hf_hub_download).parameters:
        return None

    class Bar(tqdm):  # type: ignore[type-arg, misc, unused-ignore]
        def update(self, n: float | None = 1) -> bool | None:
            if stopped.is_set():
                raise JobStoppedError("stopped during a download")
            return super().update(n)

    return Bar


def _size(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"
