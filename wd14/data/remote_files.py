"""The files of a folder on an object store or on the hub, as the layouts see those of a folder on a disk."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import BinaryIO

from wd14.data.sources.confinement import Confinement
from wd14.errors import (
    ImageTooLargeError,
    MissingImageError,
    PlaceError,
    SourceChangedError,
    SourceError,
    UnreadableImageError,
)
from wd14.places import FoundAt, Place
from wd14.text import printable

#: Bytes of a picture that is fetched: several are in memory at once.
LARGEST_PICTURE = 256 << 20
#: Rows whose pictures are fetched at once.
FETCHERS = 16
#: Folders whose listings are kept: those above the one that is walked, and a few beside it.
_KEPT_LISTINGS = 16
#: An ETag that is the MD5 of the file's bytes, as a rule.
_MD5 = re.compile(r"[0-9a-f]{32}")


class RemoteFiles(Confinement):
    """The files of a folder that is not on this machine.

    Listing costs a request for each folder, and holds the names of one folder at a time. A picture costs one request,
    and a second one where the store's ETags say nothing of the content.

    Args:
        place: the folder.
        root: stands for it in paths; a folder of this machine where files of it were put.
        here: the files that were put there, by their paths from the folder.
        only: the files that there are, where not everything in the folder is meant.
        expected: what pictures were when the run was planned, by their paths from the folder.
        closing: called once, when no file is needed any more.

    Raises (in every method that reads):
        SourceError: the store cannot be read, after several tries.
    """

    def __init__(
        self,
        place: Place,
        *,
        root: Path | None = None,
        here: Collection[str] = (),
        only: Collection[str] | None = None,
        expected: Mapping[str, FoundAt] | None = None,
        closing: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(root or Path("/" + str(place).replace("://", "/")), follow_symlinks=False)
        self._place = place
        self._prefix = os.path.join(self.root, "")  # noqa: PTH118 - ends in a separator
        self._here = frozenset(here)
        self._only = None if only is None else _tree(only)
        self._expected = expected or {}
        self._closing = closing
        self._folders: OrderedDict[str, _Folder] = OrderedDict()
        self._lock = threading.Lock()

    fetchers = FETCHERS

    def close(self) -> None:
        """Removes what was fetched."""
        closing, self._closing = self._closing, None
        if closing is not None:
            closing()

    def listing(self, folder: str) -> list[str]:
        """The names in a folder; those of folders end in "/"."""
        return list(self._folder(self._relative(folder)).names)

    def facts(self, path: str | Path) -> FoundAt:
        """Size and stamp of a file that was listed.

        Raises:
            FileNotFoundError: it is not there.
        """
        relative = self._relative(path)
        folder, _, name = relative.rpartition("/")
        found = self._folder(folder).facts(name, relative)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "it is not there", relative)
        return found

    def exists(self, path: str | Path) -> bool:
        """Whether there is a file of that path."""
        relative = self._relative(path)
        if relative in self._here:
            return True
        try:
            self._asked(relative)
        except FileNotFoundError:
            return False
        return True

    def contains(self, path: Path) -> bool:
        """Whether a path lies inside the folder. There are no links."""
        return str(path).startswith(self._prefix) or path == self.root

    def open(self, path: Path) -> BinaryIO:
        """The bytes of a file, in any order; those that are not here are fetched as they are read.

        Raises:
            OSError: it cannot be read.
        """
        relative = self._relative(path)
        if relative in self._here:
            return super().open(path)
        try:
            return (self._place / relative).open()
        except PlaceError as error:
            raise OSError(errno.EIO, str(error), relative) from error

    def read(self, path: Path, largest: int) -> bytes:
        """All bytes of a small file that was listed.

        Raises:
            OSError: it cannot be read, or has more than `largest` bytes.
        """
        relative = self._relative(path)
        if relative in self._here:
            return super().read(path, largest)
        folder, _, name = relative.rpartition("/")
        above, _, own = folder.rpartition("/")
        # The listings are there already, or will be wanted: asking for a file that is not there costs a request.
        is_there = not folder or own + "/" in self._folder(above)
        if not is_there or name not in self._folder(folder):
            raise FileNotFoundError(errno.ENOENT, "it is not there", relative)
        try:
            return (self._place / relative).read(largest)
        except PlaceError as error:
            raise OSError(errno.EIO, str(error), relative) from error

    def picture(self, path: Path) -> tuple[Path | None, bytes | None]:
        """The bytes of a picture, or where they are on this machine.

        Raises:
            MissingImageError: it is not there.
            ImageTooLargeError: it has over 256 MiB.
            UnreadableImageError: it may not be read.
            SourceChangedError: it has gone or changed since the run was planned.
        """
        relative = self._relative(path)
        if relative in self._here:
            return path, None
        expected = self._expected.get(relative)
        if expected is not None:
            _check_size(expected.size)
        try:
            data = self._fetched(relative, expected)
        except FileNotFoundError as error:
            shown = printable(relative)
            if expected is not None:
                raise SourceChangedError(f"{shown} has gone since the run was planned") from error
            raise MissingImageError(f"file not found: {shown}") from error
        except PlaceError as error:
            if isinstance(error.__cause__, PermissionError):
                raise UnreadableImageError(f"cannot be read: {error}") from error
            raise SourceError(str(error)) from error
        if expected is not None and not self._is_as_expected(relative, data, expected):
            raise SourceChangedError(f"{printable(relative)} has changed since the run was planned")
        return None, data

    def _fetched(self, relative: str, expected: FoundAt | None) -> bytes:
        place = self._place / relative
        if expected is None:
            _check_size(place.facts().size)
        return place.read(LARGEST_PICTURE)

    def _is_as_expected(self, relative: str, data: bytes, expected: FoundAt) -> bool:
        if len(data) != expected.size:
            return False
        if _MD5.fullmatch(expected.stamp) and hashlib.md5(data, usedforsecurity=False).hexdigest() == expected.stamp:
            return True
        if not expected.stamp or str(self._place).startswith("hf://"):  # at a commit nothing changes
            return True
        return self._asked(relative).stamp == expected.stamp

    def _asked(self, relative: str) -> FoundAt:
        """What the store says of a file now."""
        try:
            return (self._place / relative).facts()
        except PlaceError as error:
            raise SourceError(str(error)) from error

    def _checked(self, path: Path, shown: str) -> Path:
        if not self.contains(path):
            raise UnreadableImageError(f"{shown} lies outside the dataset's folder")
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
                found = self._listed(relative)
                self._folders[relative] = found
                while len(self._folders) > _KEPT_LISTINGS:
                    self._folders.popitem(last=False)
            self._folders.move_to_end(relative)
        return found

    def _listed(self, relative: str) -> _Folder:
        place = self._place / relative if relative else self._place
        try:
            folder = _Folder(place)
        except PlaceError as error:
            raise SourceError(str(error)) from error
        if self._only is not None:
            folder.leave(self._only.get(relative, frozenset()))
        return folder


class _Folder:
    """The names in a folder in order, with sizes and stamps: a few hundred bytes a name."""

    def __init__(self, place: Place) -> None:
        found = sorted(place.entries(), key=lambda each: each.relative)
        self.names = [each.relative for each in found]
        self._sizes = array("q", (each.size for each in found))
        self._stamps = [each.stamp for each in found]

    def __contains__(self, name: str) -> bool:
        return self._index(name) is not None

    def facts(self, name: str, relative: str) -> FoundAt | None:
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
