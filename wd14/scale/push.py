"""Sends what a run wrote to a dataset repository of the hub. What is there already is not sent again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wd14.errors import CaptionerError, ConfigError, ScaleError
from wd14.places import Place
from wd14.run_folder import temporary_folder
from wd14.scale.manifest import Manifest
from wd14.scale.marker import read_markers
from wd14.scale.output import Output, number
from wd14.stop import StopToken
from wd14.text import count, printable
from wd14.types import Log

#: Says which run's files a repository holds.
_RUN_FILE = ".wd14/run.json"
#: What every new repository may have.
_HARMLESS = frozenset({".gitattributes", ".gitignore", "README.md", "LICENSE"})
#: Sent last, with the card: what a dataset is known by should be there when the rest is.
_LAST = ("index.parquet", "tags.csv", "findings.json", "report.json", "plan.json", "provenance.json", "README.md")
#: Files and bytes of a commit. The hub advises against more than about a hundred files.
_MOST_FILES, _MOST_BYTES = 100, 4 << 30
#: Times that a commit is tried, and seconds before the second; each wait is twice as long as the one before.
_TRIES, _FIRST_WAIT = 6, 2.0
#: Answers after which it is tried again: too slow, another commit was quicker, too many requests, the hub's own faults.
_PASSING = frozenset({408, 409, 412, 429, 500, 502, 503, 504})
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)

#: Told how many files of how many are there, and what is being done.
Tick = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class _File:
    path: str  #: in the output and in the repository
    sha256: str | None  #: None where nothing says it before it is read
    size: int = 0  #: bytes, as far as known


def check_push(repo: str) -> None:
    """Sees before a run begins that its dataset may be sent: a name, and a token that the hub accepts.

    Raises:
        ConfigError: the name is none, or there is no token.
        ScaleError: the hub refuses the token, or cannot be reached.
    """
    import huggingface_hub

    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise ConfigError(f"--push-to-hub is {printable(repo)!r}: expected OWNER/NAME")
    if not huggingface_hub.get_token():
        raise ConfigError(
            "--push-to-hub needs a token with the right to write: set HF_TOKEN, or log in with `hf auth login`"
        )
    with _hub_errors(repo):
        huggingface_hub.HfApi().whoami()


def push(output: Output, manifest: Manifest, repo: str, *, say: Log, tick: Tick, stop: StopToken) -> str:
    """Sends the shards that have a marker, then the index, the reports and the card.

    Args:
        output: of a run that is merged.
        manifest: the run's.
        repo: OWNER/NAME; made, private, where it is not there.
        say: is told what is sent, and where.
        tick: is told how many files are done.
        stop: ends the sending between two commits.

    Returns:
        The dataset's address.

    Raises:
        ConfigError: as `check_push`.
        ScaleError: the hub refuses it, cannot be reached, or the repository holds something else.
        JobStoppedError: a stop was asked for; the next push goes on from there.
    """
    check_push(repo)
    with _hub_errors(repo):
        target = _Repository(repo, manifest.hash)
    files = [*_shard_files(output, manifest), *(_File(name, None) for name in _LAST if (output.root / name).exists())]
    wanted = [each for each in files if not target.has(each, output)]
    there = len(files) - len(wanted)
    say(f"Sending {count(len(wanted), 'file')} to {target.url}" + (f" ({there:,} are there)" if there else ""))
    with _fetching(output.root) as fetched, _without_bars():
        for batch in _batches(wanted):
            stop.check()
            target.commit({each.path: fetched(each) for each in batch}, batch, stop)
            there += len(batch)
            tick(there, len(files), "sent")
            fetched.clear()
    note = "; it is private: its settings make it public" if target.is_new else ""
    say(f"The dataset is at {target.url}{note}")
    return target.url


class _Repository:
    """A dataset repository and what it holds.

    Raises:
        ScaleError: it holds something else than the run's files.
    """

    def __init__(self, repo: str, manifest: str) -> None:
        import huggingface_hub
        from huggingface_hub.errors import RepositoryNotFoundError

        self._api: Any = huggingface_hub.HfApi()
        self._repo = repo
        self._run = json.dumps({"manifest": manifest}).encode() + b"\n"
        try:
            self._files = self._list()
            self.is_new = False
        except RepositoryNotFoundError:
            self._api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
            self._files = self._list()
            self.is_new = True
        self.url = f"{self._api.endpoint}/datasets/{repo}"
        self._check_is_ours()

    def has(self, file: _File, output: Output) -> bool:
        """Whether a file is there with the same content."""
        found = self._files.get(file.path)
        if found is None:
            return False
        sha256, blob = found
        if file.sha256 is not None and sha256 is not None:
            return file.sha256 == sha256
        data = (output.root / file.path).read()
        return hashlib.sha256(data).hexdigest() == sha256 if sha256 else _git_hash(data) == blob

    def commit(self, paths: Mapping[str, Path], files: Iterable[_File], stop: StopToken) -> None:
        """Sends files in one commit, trying again where the hub is busy."""
        from huggingface_hub import CommitOperationAdd

        operations = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=str(file)) for path, file in paths.items()]
        for file, operation in zip(files, operations, strict=True):
            if file.sha256 is not None and operation.upload_info.sha256.hex() != file.sha256:
                raise ScaleError(f"{file.path} is not what its marker says: remove its marker, and run again")
        if _RUN_FILE not in self._files:
            operations.append(CommitOperationAdd(path_in_repo=_RUN_FILE, path_or_fileobj=self._run))
        message = f"Add {next(iter(paths))}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        wait = _FIRST_WAIT
        for left in reversed(range(_TRIES)):
            try:
                self._api.create_commit(self._repo, operations, commit_message=message, repo_type="dataset")
                break
            except Exception as error:
                if left and _is_passing(error):
                    stop.wait(wait)
                    stop.check()
                    wait *= 2
                    continue
                with _hub_errors(self._repo):
                    raise
        self._files.setdefault(_RUN_FILE, (None, ""))

    def _list(self) -> dict[str, tuple[str | None, str]]:
        """The sha256 of each file where the hub tells it, and git's own hash."""
        found = {}
        for each in self._api.list_repo_tree(self._repo, recursive=True, repo_type="dataset"):
            if hasattr(each, "blob_id"):  # and is no folder
                found[each.path] = (each.lfs.sha256 if each.lfs else None, each.blob_id)
        return found

    def _check_is_ours(self) -> None:
        if _RUN_FILE in self._files:
            if self._files[_RUN_FILE][1] == _git_hash(self._run):
                return
            what = "the dataset of another run"
        elif others := sorted(self._files.keys() - _HARMLESS):
            what = f"files of others (such as {printable(others[0])})"
        else:
            return
        raise ScaleError(f"{self.url} holds {what}: choose another name, or delete that repository on the hub first")


def _shard_files(output: Output, manifest: Manifest) -> Iterator[_File]:
    """The files of the shards that are complete, in order.

    Raises:
        ScaleError: one has gone.
    """
    folder = output.shards
    there = set(folder.names())
    for marker in read_markers(output, manifest, manifest.phases[-1]):
        files = {".parquet": marker.sha256} | ({".tar": marker.archive_sha256} if marker.archive_sha256 else {})
        for ending, sha256 in files.items():
            name = f"{number(marker.shard)}{ending}"
            if name not in there:
                raise ScaleError(f"{folder / name} has gone: remove {output.success}, and run again to make it again")
            yield _File(f"shards/{name}", sha256, marker.size)


def _batches(files: Iterable[_File]) -> Iterator[list[_File]]:
    batch: list[_File] = []
    size = 0
    for file in files:
        if batch and (len(batch) == _MOST_FILES or size + file.size > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


class _Fetched:
    """Files of the output on this machine, fetched where they are elsewhere."""

    def __init__(self, root: Place, folder: Path | None) -> None:
        self._root = root
        self._folder = folder
        self._made: list[Path] = []

    def __call__(self, file: _File) -> Path:
        if self._folder is None:
            return self._root.local / file.path
        target = self._folder / file.path.replace("/", "-")
        self._made.append(target)
        (self._root / file.path).download(target)
        return target

    def clear(self) -> None:
        """Removes what was fetched."""
        while self._made:
            self._made.pop().unlink(missing_ok=True)


@contextmanager
def _fetching(root: Place) -> Iterator[_Fetched]:
    if root.is_local:
        yield _Fetched(root, None)
        return
    with temporary_folder() as folder:
        yield _Fetched(root, folder.path)


@contextmanager
def _without_bars() -> Iterator[None]:
    """While the block lasts the hub's client shows no bars of its own: they would tear up ours."""
    import huggingface_hub.utils

    bars: Any = huggingface_hub.utils
    if bars.are_progress_bars_disabled():
        yield
        return
    bars.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bars()


def _git_hash(data: bytes) -> str:
    """Git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


# ── What goes wrong on the hub ──────────────────────────────────────────────────────────────────────────────────────


def _status(error: BaseException) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _is_passing(error: Exception) -> bool:
    status = _status(error)
    return status in _PASSING if status is not None else _is_connection(error)


def _is_connection(error: Exception) -> bool:
    """Whether the hub could not be reached, or the connection was lost."""
    names = {each.__name__ for each in type(error).__mro__}
    lost = {"TransportError", "RequestException", "ConnectionError", "TimeoutError"}
    return bool(names & lost) and "OfflineModeIsEnabled" not in names


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """Says what the hub's client raises.

    Raises:
        ScaleError: in place of it.
    """
    try:
        yield
    except CaptionerError:
        raise
    except Exception as error:
        status = _status(error)
        again = "What is there stays there: run the same command again."
        known = {
            401: "the hub does not accept the token: set HF_TOKEN to one with the right to write",
            403: f"the token may not write to {repo}: it needs the right to write, and you a place with this owner",
            404: f"the hub knows no owner or dataset {repo}, or the token may not see it",
            413: "the hub refuses it as too large",
        }
        if status in known:
            problem = known[status]
        elif status is not None:
            problem = f"the hub answered {status}. {again}"
        elif type(error).__name__ == "OfflineModeIsEnabled":
            problem = "the hub's client is set to work offline (HF_HUB_OFFLINE)"
        elif type(error).__name__ == "LocalTokenNotFoundError":
            problem = "there is no token: set HF_TOKEN to one with the right to write"
        elif _is_connection(error):
            problem = f"the hub cannot be reached. {again}"
        else:
            problem = printable(" ".join(f"{type(error).__name__}: {error}".split())[:400])
        raise ScaleError(f"{repo} cannot be sent to the hub: {problem}") from error
