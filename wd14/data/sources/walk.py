"""Every file of a folder that is not hidden, in a stable order, and a survey of what kinds there are."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wd14.data.provenance import MADE_BY
from wd14.data.sources.confinement import IRREGULAR, Confinement
from wd14.data.sources.splits import split_of_folder
from wd14.data.sources.values import read_json_object
from wd14.errors import RowError, SourceChangedError, SourceError, UnreadableImageError
from wd14.images.formats import extension, is_picture
from wd14.text import count, printable
from wd14.types import Log

#: Metadata files as `datasets` knows them.
METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
TABLE_EXTENSIONS = frozenset({".parquet", ".arrow"})
_ARCHIVE_EXTENSIONS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ZIP_EXTENSION = ".zip"
#: Files that belong beside pictures: captions, and what trainers and hosts leave there.
_COMPANION_EXTENSIONS = frozenset(
    {".txt", ".caption", ".json", ".jsonl", ".csv", ".md", ".npz", ".ini", ".db", ".yaml", ".toml", ""}
)
#: Folders that systems and devices put beside pictures: macOS in archives, Synology's thumbnails.
_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir"})

#: What is in the results of runs, and says so.
_DESCRIPTIONS = (".wd14/provenance.json", "manifest.json")
#: Lines about results of earlier runs, for `LimitedLog`.
_RESULTS = "earlier results"


def is_hidden(name: str) -> bool:
    """Whether a file or folder is not meant to be seen: `.wd14`, `._a.jpg`, `__MACOSX`."""
    return name.startswith(".") or name in _SYSTEM_FOLDERS


def is_archive(name: str) -> bool:
    """Whether a file of this name should be a tar archive."""
    return name.lower().endswith(_ARCHIVE_EXTENSIONS)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that was found, or a folder that cannot be read (its path ends in "/")."""

    relative: str  #: path from the dataset's folder, parts joined with "/"
    path: str
    error: RowError | None = None  #: why it may not be opened

    @property
    def is_row(self) -> bool:
        """Whether it is a picture, or a folder that may hide pictures."""
        return self.relative.endswith("/") or is_picture(self.relative.rpartition("/")[2])

    @property
    def split(self) -> str | None:
        """The split that its top-level folder names."""
        top, slash, _ = self.relative.partition("/")
        return split_of_folder(top) if slash else None


class LimitedLog:
    """Logs the first five lines of each kind, and how many more there were: a folder may be full of links."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: Counter[str] = Counter()

    def __call__(self, line: str, kind: str) -> None:
        self._counts[kind] += 1
        if self._counts[kind] <= 5:
            self._log(line)

    def number(self, kind: str) -> int:
        """How many lines of a kind there were."""
        return self._counts[kind]

    def end(self) -> None:
        """Says how many lines were left out."""
        for kind, number in self._counts.items():
            if number > 5:
                self._log(f"… and {number - 5:,} more {kind}")


#: Between the names of a listing. No name contains it, and a folder's "/" before it is not mistaken for a part of it.
_SEPARATOR = "/\0"


@dataclass(slots=True)
class _OpenFolder:
    prefix: str  #: path from the dataset's folder, "/" at its end
    names: Iterator[str]
    pictures: int = 0


def walk(confinement: Confinement, log: LimitedLog | None = None) -> Iterator[FoundFile]:
    """Every file below the dataset's folder that is not hidden, in the order of relative paths as text.

    What may not be opened (a link that leads out, a pipe, a folder named like a picture) comes with an error. A folder
    behind a link is entered only with `follow_symlinks`, and only once, so loops end.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    root = confinement.root
    entered: set[tuple[int, int]] = set()  # folders outside, behind links
    stack = [_OpenFolder("", _listing(confinement, os.fspath(root)))]
    while stack:
        folder = stack[-1]
        name = next(folder.names, None)
        if name is None:
            stack.pop()
            yield from _folder_named_like_a_picture(folder, root)
            if stack:
                stack[-1].pictures += folder.pictures
            continue
        relative = folder.prefix + name
        path = os.path.join(root, relative)  # noqa: PTH118 - a Path a file costs more than the listing
        if not name.endswith("/"):
            found = _irregular_file(relative[:-1], path[:-1], confinement) if name.endswith(IRREGULAR) else None
            found = found or FoundFile(relative, path)
            folder.pictures += found.is_row
            yield found
        else:
            try:
                if _may_enter(Path(path), printable(relative), confinement, entered, log):
                    stack.append(_OpenFolder(relative, _listing(confinement, path)))
            except OSError as error:
                folder.pictures += 1
                reason = f"the folder cannot be read: {error.strerror or error}"
                yield FoundFile(relative, path, UnreadableImageError(reason))


def _listing(confinement: Confinement, path: str) -> Iterator[str]:
    """Names in a folder, sorted; folders end in "/", so the order is that of whole relative paths."""
    names = [name for name in confinement.listing(path) if not is_hidden(name.rstrip("/" + IRREGULAR))]
    names.sort()
    return _split(_SEPARATOR.join(names))


def _split(names: str) -> Iterator[str]:
    """The names in a joined text: a million of them take a sixth of the memory that a list takes."""
    start = 0
    while start < len(names):
        end = names.find(_SEPARATOR, start)
        end = len(names) if end < 0 else end
        yield names[start:end]
        start = end + len(_SEPARATOR)


def _irregular_file(relative: str, path: str, confinement: Confinement) -> FoundFile:
    """A link into the dataset is as good as a file; anything else is an error."""
    try:
        confinement.found_file(Path(path))
    except RowError as error:
        return FoundFile(relative, path, error)
    return FoundFile(relative, path)


def find_again(confinement: Confinement, relative: str) -> FoundFile:
    """What `walk` would say of a path that it gave before.

    Raises:
        SourceChangedError: it has gone, or is something else now.
    """
    path = os.path.join(confinement.root, relative)  # noqa: PTH118 - as in `walk`
    try:
        if relative.endswith("/"):
            confinement.listing(path)
            raise SourceChangedError(f"the folder {printable(relative)} could not be read, and now it can: plan again")
        mode = confinement.mode(path)
    except FileNotFoundError as error:
        raise SourceChangedError(f"{printable(relative)} has gone since the source was listed") from error
    except OSError as error:
        reason = f"the folder cannot be read: {error.strerror or error}"
        return FoundFile(relative, path, UnreadableImageError(reason))
    if stat.S_ISDIR(mode):
        return FoundFile(relative, path, _folder_not_file())
    return FoundFile(relative, path) if stat.S_ISREG(mode) else _irregular_file(relative, path, confinement)


def _folder_not_file() -> UnreadableImageError:
    return UnreadableImageError("it is a folder, not a file")


def _may_enter(
    folder: Path, shown: str, confinement: Confinement, entered: set[tuple[int, int]], log: LimitedLog | None
) -> bool:
    if shown == "/" or shown.endswith("//"):  # on S3, of a key such as a//b.png
        why_not, kind = "is a folder without a name: left out", "folders without a name"
    elif not confinement.reads_results and _is_result(confinement, folder):
        why_not, kind = "is the result of an earlier run: left out", _RESULTS
    elif not folder.is_symlink():
        return True
    elif confinement.contains(folder):
        why_not, kind = (
            "is a link to a folder inside the dataset: not read twice",
            "links to folders inside the dataset",
        )
    elif not confinement.follow_symlinks:
        why_not = "is a link out of the dataset's folder: not read without Follow Links (follow_symlinks)"
        kind = "links out of the dataset's folder"
    else:
        is_new = _identity(folder) not in entered
        entered.add(_identity(folder))
        return is_new
    if log:
        log(f"{shown} {why_not}", kind)
    return False


def _is_result(confinement: Confinement, folder: Path) -> bool:
    """Whether a folder is the output of an earlier run, of this version or 1.0, or of one over many shards."""
    for description in _DESCRIPTIONS:
        try:
            made_by = read_json_object(folder / description, confinement.read).get("made_by")
        except SourceError:
            continue
        if isinstance(made_by, str) and made_by.partition(" ")[0] == MADE_BY:
            return True
    return False


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _folder_named_like_a_picture(folder: _OpenFolder, root: Path) -> Iterator[FoundFile]:
    """A failed row for a folder such as `a.png` that holds no picture."""
    relative = folder.prefix[:-1]
    if folder.pictures == 0 and is_picture(relative.rpartition("/")[2]):
        folder.pictures = 1
        yield FoundFile(relative, f"{root}/{relative}", _folder_not_file())


@dataclass(slots=True)
class Survey:
    """What a folder holds: counts, and the names of the few files that hold rows themselves."""

    pictures: Counter[str | None] = field(default_factory=Counter)  #: by the split that the top-level folder names
    metadata: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    zips: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  #: other files by their extension

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that holds rows."""
        return not (self.pictures or self.metadata or self.tables or self.archives or self.zips)

    def describe_others(self) -> str:
        """`3 other files (.mp4 2, .pdf 1)`, or nothing."""
        if not self.others:
            return ""
        listed = ", ".join(f"{printable(each)} {number:,}" for each, number in self.others.most_common(5))
        return f"{count(self.others.total(), 'other file')} ({listed})"


def survey(confinement: Confinement, log: Log) -> Survey:
    """Looks a folder over, and says which links, special files and earlier results are not read.

    A folder with nothing but results is a dataset of them: they are read.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    lines: list[str] = []
    limited = LimitedLog(lines.append)
    result = _survey(confinement, limited)
    if result.is_empty and limited.number(_RESULTS):
        confinement.reads_results = True
        lines = ["There are only results of earlier runs here: they are read"]
        limited = LimitedLog(lines.append)
        result = _survey(confinement, limited)
    limited.end()
    for line in lines:
        log(line)
    return result


def _survey(confinement: Confinement, limited: LimitedLog) -> Survey:
    result = Survey()
    for found in walk(confinement, limited):
        name = found.relative.rpartition("/")[2]
        kind = extension(name)
        if found.is_row:
            result.pictures[found.split] += 1
        elif found.error is not None:
            if kind not in _COMPANION_EXTENSIONS - {".jsonl", ".csv"}:
                limited(f"Left out: {found.error}", "files that are left out")
        elif name in METADATA_NAMES:
            result.metadata.append(found.relative)
        elif kind in TABLE_EXTENSIONS:
            result.tables.append(found.relative)
        elif is_archive(name):
            result.archives.append(found.relative)
        elif kind == ZIP_EXTENSION:
            result.zips.append(found.relative)
        elif kind not in _COMPANION_EXTENSIONS and len(result.others) < 1000:
            result.others[kind] += 1
    return result
