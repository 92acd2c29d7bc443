"""The files of a folder on an object store or on the hub, as the layouts see those of a folder on a disk."""

from __future__ import annotations

import errno
import hashlib
import re
import stat
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from wd14.data.sources.confinement import Confinement
from wd14.data.sources.values import encodable
from wd14.data.sources.walk import ZIP_EXTENSION, is_archive
from wd14.data.staging import Stage, Stretch
from wd14.errors import (
    ImageTooLargeError,
    MissingImageError,
    PlaceError,
    SourceChangedError,
    SourceError,
    UnreadableImageError,
)
from wd14.images.formats import extension
from wd14.places import FoundAt, Place
from wd14.text import printable

#: Bytes of a picture that is fetched: several are in memory at once.
LARGEST_PICTURE = 256 << 20
#: Rows whose pictures are fetched at once, and files that are looked at.
FETCHERS = 16
#: Folders whose listings are kept: those above the one that is walked, and a few beside it.
_KEPT_LISTINGS = 16
#: Bytes of an archive that are fetched to learn its columns.
_OUTLINE = 16 << 20
#: Bytes of a file's path: what is longer, S3 refuses to look for.
_LONGEST_NAME = 1024
#: An ETag that is the MD5 of the file's bytes, as a rule.
_MD5 = re.compile(r"[0-9a-f]{32}")


class RemoteFiles(Confinement):
    """The files of a folder that is not on this machine.

    Listing costs a request for each folder (on S3 for each thousand files), and holds the names of one folder at a
    time. A picture costs one request; where the store's stamps say nothing of the content, or a row names the picture,
    two.

    Args:
        place: the folder.
        stage: where files of it are put on this machine; paths begin with its folder.
        only: the files that there are, where not everything in the folder is meant.
        expected: what pictures were when they were listed, by their paths from the folder.

    Raises (in every method that reads):
        SourceError: the store cannot be read, after several tries.
    """

    fetchers = FETCHERS

    def __init__(
        self,
        place: Place,
        stage: Stage,
        *,
        only: Collection[str] | None = None,
        expected: Mapping[str, FoundAt] | None = None,
    ) -> None:
        super().__init__(stage.root, follow_symlinks=False)
        self._place = place
        self._stage = stage
        self._prefix = f"{self.root}/"
        self._only = None if only is None else _tree(only)
        self._expected = expected or {}
        self._folders: OrderedDict[str, _Folder] = OrderedDict()
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return str(self._place)

    def listing(self, folder: str) -> list[str]:
        """The names in a folder; those of folders end in "/"."""
        return list(self._folder(self._relative(folder)).names)

    def facts(self, relative: str) -> FoundAt | None:
        """Size and stamp of a file by its path from the folder, as it was listed; None where there is none."""
        folder, _, name = relative.rpartition("/")
        return self._folder(folder).facts(name, relative)

    def mode(self, path: str) -> int:
        """A file is what was listed as one; that it has gone is seen when it is read."""
        expected = self._expected.get(self._relative(path))
        is_folder = expected is not None and not expected.size and not expected.stamp
        return stat.S_IFDIR if is_folder else stat.S_IFREG

    def is_file(self, path: Path) -> bool:
        """Whether a file of that path was listed."""
        return self.facts(self._relative(path)) is not None

    def exists(self, path: str | Path) -> bool:
        """Whether there is a file of that path."""
        relative = self._relative(path)
        if relative in self._stage.files:
            return True
        try:
            self._asked(relative)
        except FileNotFoundError:
            return False
        return True

    def contains(self, path: Path) -> bool:
        """Whether a path lies inside the folder. There are no links."""
        return str(path).startswith(self._prefix)

    def outline(self, files: Sequence[str]) -> None:
        """Fetches the footers of Parquet files, the beginning of the first archive, and all of Arrow files."""
        found = [facts for file in files if (facts := self.facts(file)) is not None]
        zips = [each.relative for each in found if extension(each.relative) == ZIP_EXTENSION]
        if zips:
            raise SourceError(
                f"{self} holds zip archives (such as {printable(zips[0])}), which are read on this machine only: unpack"
                " them, or pack the pictures into tar archives"
            )
        parquet = [each for each in found if extension(each.relative) == ".parquet"]
        self._stage.fetch_footers(parquet, threads=FETCHERS)
        wanted = [Stretch(each.relative, 0, each.size) for each in found if extension(each.relative) == ".arrow"]
        wanted += [
            Stretch(each.relative, 0, min(each.size, _OUTLINE)) for each in found[:1] if is_archive(each.relative)
        ]
        sizes = {each.relative: each.size for each in found}
        self._stage.fetch(wanted, {stretch.file: sizes[stretch.file] for stretch in wanted})

    def open(self, path: Path) -> BinaryIO:
        """The bytes of a file, in any order; those that are not here are fetched as they are read.

        Raises:
            OSError: it cannot be read.
        """
        relative = self._relative(path)
        if relative in self._stage.files:
            return super().open(path)
        try:
            return (self._place / relative).open()
        except PlaceError as error:
            raise SourceError(str(error)) from error

    def read(self, path: Path, largest: int) -> bytes:
        """All bytes of a small file that was listed.

        Raises:
            OSError: it is not there.
        """
        relative = self._relative(path)
        folder, _, name = relative.rpartition("/")
        above, _, own = folder.rpartition("/")
        # The listings are there already, or will be wanted: asking for a file that is not there costs a request.
        is_there = not folder or own + "/" in self._folder(above)
        if not is_there or name not in self._folder(folder):
            raise FileNotFoundError(errno.ENOENT, "it is not there", relative)
        try:
            return (self._place / relative).read(largest)
        except PlaceError as error:
            raise SourceError(str(error)) from error

    def picture(self, path: Path) -> tuple[Path | None, bytes | None]:
        """The bytes of a picture, or where they are on this machine.

        Raises:
            MissingImageError: it is not there.
            ImageTooLargeError: it has over 256 MiB.
            UnreadableImageError: it may not be read.
            SourceChangedError: it has gone or changed since it was listed.
        """
        relative = self._relative(path)
        if relative in self._stage.files:
            return path, None
        expected = self._expected.get(relative)
        try:
            _check_size((expected or (self._place / relative).facts()).size)
            data = (self._place / relative).read(LARGEST_PICTURE)
        except FileNotFoundError as error:
            if expected is not None:
                raise _changed(relative, "has gone") from error
            raise MissingImageError(f"file not found: {printable(relative)}") from error
        except PlaceError as error:
            if isinstance(error.__cause__, PermissionError):
                raise UnreadableImageError(f"cannot be read: {error}") from error
            raise SourceError(str(error)) from error
        if expected is not None and not self._is_as_expected(relative, data, expected):
            raise _changed(relative, "has changed")
        return None, data

    def _is_as_expected(self, relative: str, data: bytes, expected: FoundAt) -> bool:
        if len(data) != expected.size:
            return False
        if _MD5.fullmatch(expected.stamp) and hashlib.md5(data, usedforsecurity=False).hexdigest() == expected.stamp:
            return True
        if not expected.stamp or str(self._place).startswith("hf://"):  # at a commit nothing changes
            return True
        try:
            return self._asked(relative).stamp == expected.stamp
        except FileNotFoundError:
            return False

    def _asked(self, relative: str) -> FoundAt:
        """What the store says of a file now."""
        try:
            return (self._place / relative).facts()
        except PlaceError as error:
            raise SourceError(str(error)) from error

    def _checked(self, path: Path, shown: str) -> Path:
        if not self.contains(path):
            raise UnreadableImageError(f"{shown} lies outside the dataset's folder")
        relative = self._relative(path)
        if encodable(relative) != relative or len(relative.encode()) > _LONGEST_NAME:
            raise UnreadableImageError(f"{shown} is no name that a store knows")
        return path

    def _relative(self, path: str | Path) -> str:
        text = str(path)
        if text.rstrip("/") == str(self.root):
            return ""
        if not text.startswith(self._prefix):
            raise FileNotFoundError(errno.ENOENT, "it lies outside the dataset's folder", text)
        return text[len(self._prefix) :].rstrip("/")

    def _folder(self, relative: str) -> _Folder:
        with self._lock:
            found = self._folders.get(relative)
            if found is None:
                found = self._folders[relative] = self._listed(relative)
                while len(self._folders) > _KEPT_LISTINGS:
                    self._folders.popitem(last=False)
            self._folders.move_to_end(relative)
        return found

    def _listed(self, relative: str) -> _Folder:
        try:
            folder = _Folder(self._place / relative if relative else self._place)
        except PlaceError as error:
            raise SourceError(str(error)) from error
        if self._only is not None:
            folder.leave(self._only.get(relative, frozenset()))
        return folder


class _Folder:
    """The names in a folder in order, with sizes and stamps: about two hundred bytes a name."""

    def __init__(self, place: Place) -> None:
        found = sorted(place.entries(), key=lambda each: each.relative)
        self.names = [each.relative for each in found]
        self._sizes = array("q", (each.size for each in found))
        self._stamps = [each.stamp for each in found]

    def __contains__(self, name: str) -> bool:
        return self._index(name) is not None

    def facts(self, name: str, relative: str) -> FoundAt | None:
        """Size and stamp of a file; None where there is none of that name."""
        index = self._index(name)
        return None if index is None else FoundAt(relative, self._sizes[index], self._stamps[index])

    def leave(self, names: Collection[str]) -> None:
        """Forgets all other names."""
        kept = [index for index, name in enumerate(self.names) if name in names]
        self.names = [self.names[index] for index in kept]
        self._sizes = array("q", (self._sizes[index] for index in kept))
        self._stamps = [self._stamps[index] for index in kept]

    def _index(self, name: str) -> int | None:
        index = bisect_left(self.names, name)
        return index if index < len(self.names) and self.names[index] == name else None


def _tree(files: Collection[str]) -> dict[str, set[str]]:
    """The names in each folder, from the paths of files."""
    tree: dict[str, set[str]] = {}
    for file in files:
        folder, _, name = file.rpartition("/")
        tree.setdefault(folder, set()).add(name)
        while folder:
            above, _, own = folder.rpartition("/")
            names = tree.setdefault(above, set())
            if own + "/" in names:
                break
            names.add(own + "/")
            folder = above
    return tree


def _check_size(size: int) -> None:
    if size > LARGEST_PICTURE:
        raise ImageTooLargeError(f"{size:,} bytes, over the limit of {LARGEST_PICTURE:,} for what is fetched")


def _changed(relative: str, how: str) -> SourceChangedError:
    return SourceChangedError(
        f"{printable(relative)} {how} since the source was listed: put it back, or begin a new run with another OUTPUT"
    )
