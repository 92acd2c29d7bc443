"""Every file of a folder in a stable order, without holding more than one folder's names."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wd14.data.sources.confinement import Confinement, is_hidden
from wd14.data.sources.splits import split_of_folder
from wd14.errors import RowError, UnreadableImageError
from wd14.images.formats import extension, is_picture
from wd14.text import count, printable

Say = Callable[[str], None]
Remark = Callable[[str, str], None]
"""Takes a line about a place that is left out, and the name of its kind."""

#: Places that are named, of each kind that is left out; a folder may be full of links.
_NAMED = 5

#: Metadata files as `datasets` knows them, the first one counts where a folder has several.
METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
TABLE_ENDINGS = frozenset({".parquet", ".arrow"})
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
#: Files that belong beside pictures: captions, and what trainers and hosts leave there.
_COMPANIONS = frozenset(
    {".txt", ".caption", ".json", ".jsonl", ".csv", ".md", ".npz", ".ini", ".db", ".yaml", ".toml", ""}
)


def is_archive(name: str) -> bool:
    """Whether a file of this name should be a tar archive."""
    return name.lower().endswith(_ARCHIVES)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, or what stands where a file was expected."""

    relative: str  #: path from the dataset's folder, parts joined with "/"
    path: str
    error: RowError | None = None

    @property
    def is_row(self) -> bool:
        """Whether it is a picture, or a folder that may hide pictures."""
        return self.relative.endswith("/") or is_picture(self.relative.rpartition("/")[2])

    @property
    def split(self) -> str | None:
        """The split that its top-level folder names."""
        top, slash, _ = self.relative.partition("/")
        return split_of_folder(top) if slash else None


def walk(confinement: Confinement, remark: Remark | None = None) -> Iterator[FoundFile]:
    """Every file below the dataset's folder that is not hidden, in the order of relative paths as text.

    What must not be opened (a link that leads out, a pipe, a folder named like a picture) comes as an entry with an
    error. A folder behind a link is entered only with `follow_symlinks`, and only once, so loops end.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    root = confinement.root
    entered = {_identity(root)}
    stack = [_Folder("", _listing(os.fspath(root)))]
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
        path = os.path.join(root, relative)  # noqa: PTH118 - Path would drop the "/" that marks folders
        if not name.endswith("/"):
            entry = _entry(relative, path, confinement) if name.endswith(_ODD) else FoundFile(relative, path)
            folder.pictures += entry.is_row
            yield entry
        elif _may_enter(path, relative, confinement, entered, remark):
            try:
                stack.append(_Folder(relative, _listing(path)))
            except OSError as error:
                folder.pictures += 1
                reason = f"the folder cannot be read: {error.strerror or error}"
                yield FoundFile(relative, path, UnreadableImageError(reason))


@dataclass(slots=True)
class _Folder:
    prefix: str
    names: Iterator[str]
    pictures: int = 0


#: Ends the name of what is no plain file (a link, a pipe). No real name holds it, and it does not change the order.
_ODD = "\0"
#: Stands between the names of a folder that is being walked; no real name holds it, nor ends so that it is found early.
_NEXT = "/\0"


def _listing(path: str) -> Iterator[str]:
    """Names in a folder, sorted; folders end in "/", so that the order is that of whole relative paths."""
    with os.scandir(path) as entries:
        names = [entry.name + _mark(entry) for entry in entries if not is_hidden(entry.name)]
    names.sort()
    return _each(_NEXT.join(names))


def _each(names: str) -> Iterator[str]:
    """The names in a text: a million of them take a sixth of the memory that they take as a list."""
    start = 0
    while start < len(names):
        end = names.find(_NEXT, start)
        end = len(names) if end < 0 else end
        yield names[start:end]
        start = end + len(_NEXT)


def _mark(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return "/"
        return "" if entry.is_file(follow_symlinks=False) else _ODD
    except OSError:  # a link in a loop
        return _ODD


def _may_enter(
    path: str, relative: str, confinement: Confinement, entered: set[tuple[int, int]], remark: Remark | None
) -> bool:
    shown = printable(relative)
    if _is_result_of(confinement.root, Path(path)):
        if remark:
            remark(f"{shown} is the result of an earlier run on this folder: left out", "earlier results")
        return False
    if not Path(path).is_symlink():  # Path drops the "/", which would follow the link
        return True
    if confinement.contains(path):
        if remark:
            remark(
                f"{shown} is a link to a folder inside the dataset: not entered twice",
                "links to folders inside the dataset",
            )
        return False
    if not confinement.follow_symlinks:
        if remark:
            remark(
                f"{shown} is a link out of the dataset's folder: not entered without Follow Links (follow_symlinks)",
                "links out of the dataset's folder",
            )
        return False
    identity = _identity(Path(path))
    if identity in entered:
        return False
    entered.add(identity)
    return True


def _is_result_of(root: Path, folder: Path) -> bool:
    """Whether a folder is what an earlier run made of the dataset, and put inside it: no part of the dataset."""
    try:
        made = json.loads((folder / ".wd14" / "provenance.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(made, dict) and made.get("source") == root.name


def _identity(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def _entry(relative: str, path: str, confinement: Confinement) -> FoundFile:
    """What is no plain file: a link into the dataset is as good as one, anything else is an error."""
    relative, path = relative.removesuffix(_ODD), path.removesuffix(_ODD)
    try:
        confinement.walked_link(path)
    except RowError as error:
        return FoundFile(relative, path, error)
    return FoundFile(relative, path)


def _folder_named_like_a_picture(folder: _Folder, root: Path) -> Iterator[FoundFile]:
    name = folder.prefix[:-1]
    if folder.pictures == 0 and is_picture(name.rpartition("/")[2]):
        folder.pictures = 1
        yield FoundFile(name, f"{root}/{name}", UnreadableImageError("it is a folder, not a file"))


@dataclass(slots=True)
class Survey:
    """What a folder holds, in numbers; names only of the few files that hold rows themselves."""

    pictures: Counter[str | None] = field(default_factory=Counter)  #: by the split that the top-level folder names
    metadata: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  #: other files by their ending

    @property
    def picture_count(self) -> int:
        """All pictures, in whatever folder."""
        return self.pictures.total()

    def others_in_words(self) -> str:
        """`3 other files (.mp4 2, .zip 1)`, or nothing."""
        if not self.others:
            return ""
        listed = ", ".join(f"{printable(ending_)} {number:,}" for ending_, number in self.others.most_common(5))
        return f"{count(self.others.total(), 'other file')} ({listed})"


class _Remarks:
    """Says the first few places of each kind, and in the end how many more there were."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._counts: Counter[str] = Counter()

    def __call__(self, line: str, kind: str) -> None:
        self._counts[kind] += 1
        if self._counts[kind] <= _NAMED:
            self._say(line)

    def end(self) -> None:
        for kind, number in self._counts.items():
            if number > _NAMED:
                self._say(f"… and {number - _NAMED:,} more {kind}")


def survey(confinement: Confinement, say: Say | None) -> Survey:
    """Looks a folder over once, and says what will not be read.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    found = Survey()
    remarks = _Remarks(say) if say else None
    for entry in walk(confinement, remarks):
        name = entry.relative.rpartition("/")[2]
        if entry.is_row:
            found.pictures[entry.split] += 1
        elif entry.error is not None:
            if remarks and extension(name) not in _COMPANIONS - {".jsonl", ".csv"}:
                remarks(f"Left out: {entry.error}", "files that are left out")
        elif name in METADATA_NAMES:
            found.metadata.append(entry.relative)
        elif extension(name) in TABLE_ENDINGS:
            found.tables.append(entry.relative)
        elif is_archive(name):
            found.archives.append(entry.relative)
        elif extension(name) not in _COMPANIONS and len(found.others) < 1000:
            found.others[extension(name)] += 1
    if remarks:
        remarks.end()
    return found
