"""Which files a dataset may name: those inside its folder."""

from __future__ import annotations

import os
import re
import stat
from functools import lru_cache
from pathlib import Path

from wd14.errors import MissingImageError, RowError, UnreadableImageError
from wd14.text import printable

#: Folders that systems and devices put beside pictures: archives' Apple files, Synology's thumbnails.
_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir"})


def is_hidden(name: str) -> bool:
    """Whether a file or folder is not meant to be seen: `.wd14`, `._a.jpg`, `__MACOSX`."""
    return name.startswith(".") or name in _SYSTEM_FOLDERS


class Confinement:
    """Says which files a dataset may name: those inside its folder.

    Args:
        root: the dataset's folder.
        follow_symlinks: let links and absolute paths lead out of it.
    """

    def __init__(self, root: Path, *, follow_symlinks: bool) -> None:
        self.root = root.resolve()
        self.follow_symlinks = follow_symlinks
        roots = [self.root]
        if self.root.parent.name == "snapshots":  # a snapshot of the hub's cache is made of links to its blobs
            roots.append(self.root.parent.parent / "blobs")
        self._inside = tuple(os.path.join(root, "") for root in roots)  # noqa: PTH118 - the ending separator is the point
        # Most rows share their folder with the row before.
        self._real_folder = lru_cache(maxsize=64)(os.path.realpath)

    def contains(self, path: str) -> bool:
        """Whether a path, links resolved, lies inside the dataset."""
        return os.path.join(os.path.realpath(path), "").startswith(self._inside)  # noqa: PTH118

    def named_file(self, text: str, folder: Path, *, may_be_absolute: bool) -> Path:
        """The file that a row names.

        Raises:
            MissingImageError: it is not there.
            UnreadableImageError: it may not be opened (outside the dataset), or is no regular file.
        """
        shown = _shortened(text)
        if "://" in text or text[:5].lower() == "data:":
            raise UnreadableImageError(f"{shown} is an address; a row names a file of the dataset")
        slashed = text.replace("\\", "/")
        if slashed.startswith("/") or re.match(r"[A-Za-z]:/", slashed):
            if not may_be_absolute and not self.follow_symlinks:
                raise UnreadableImageError(f"{shown} is an absolute path; a row names files by their relative path")
            if self.follow_symlinks:
                return _regular_file(Path(text), shown)
            folder = Path("/")
        if ".." in slashed.split("/"):
            raise UnreadableImageError(f"{shown} leads out of the dataset's folder with '..'; such paths are not read")
        path = folder / text
        if slashed != text and not _exists(path):  # written on Windows
            path = folder / slashed
        if self.follow_symlinks and folder != Path("/"):
            return _regular_file(path, shown)
        return self._file_inside(path, shown)

    def walked_link(self, path: str) -> Path:
        """The file behind a link that was met in the dataset's folder.

        Raises:
            RowError: as `named_file`.
        """
        shown = os.path.basename(path)  # noqa: PTH119 - may hold bytes that are no text, as the walk gives them
        return _regular_file(Path(path), shown) if self.follow_symlinks else self._file_inside(Path(path), shown)

    def _file_inside(self, path: Path, shown: str) -> Path:
        try:
            real = os.path.join(self._real_folder(path.parent), path.name)  # noqa: PTH118
            if path.is_symlink():
                real = os.path.realpath(real)
        except (OSError, ValueError) as error:
            raise _not_readable(error, shown) from error
        if not real.startswith(self._inside):
            raise UnreadableImageError(
                f"{shown} leads out of the dataset's folder; it is read only with Follow Links (follow_symlinks)"
                if real != str(path)
                else f"{shown} lies outside the dataset's folder"
            )
        return _regular_file(path, shown)


def _regular_file(path: Path, shown: str) -> Path:
    """The path itself, when opening it will not block and gives a file's bytes."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _not_readable(error, shown) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise UnreadableImageError(f"{printable(shown)} is {kind}, not a file")
    return path


def _not_readable(error: OSError | ValueError, shown: str) -> RowError:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return MissingImageError(f"file not found: {printable(shown)}")
    # ValueError: a NUL or a lone surrogate in the path, which no file can have.
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return UnreadableImageError(f"{printable(shown)} cannot be read: {reason}")


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


def _shortened(text: str) -> str:
    return printable(text if len(text) <= 200 else f"{text[:200]}…")
