"""Which files of a dataset there are, and which may be opened: those inside its folder."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from wd14.data.sources.values import excerpt
from wd14.errors import MissingImageError, UnreadableImageError
from wd14.regular_files import kind_of, open_file, read_file
from wd14.text import printable

ABSOLUTE = re.compile(r"/|[A-Za-z]:/")

#: Added to the name of anything but a file or folder (a link, a pipe). No name contains it, and sorting ignores it.
IRREGULAR = "\0"


class Confinement:
    """Says which files may be opened: those inside the dataset's folder, with links resolved.

    Args:
        root: the dataset's folder.
        follow_symlinks: allow links and absolute paths to lead out of it.

    Attributes:
        reads_results: whether results of this captioner that lie in the folder are part of the dataset.
    """

    def __str__(self) -> str:
        return str(self.root)

    reads_results = False
    fetchers = 0  #: rows whose pictures are fetched at once; 0 = they are on this machine

    def __init__(self, root: Path, *, follow_symlinks: bool) -> None:
        self.root = root.resolve()
        self.follow_symlinks = follow_symlinks
        roots = [self.root]
        if self.root.parent.name == "snapshots":  # in the hub's cache: a folder of links to blobs
            roots.append(self.root.parent.parent / "blobs")
        self._inside = tuple(os.path.join(root, "") for root in roots)  # noqa: PTH118 - ends in a separator
        # Rows next to each other mostly share their folder (benchmarks: rerun).
        self._real_folder = lru_cache(maxsize=64)(os.path.realpath)

    def listing(self, folder: str) -> list[str]:
        """The names in a folder, in any order: those of folders end in "/", those of links and pipes in IRREGULAR.

        Raises:
            OSError: it cannot be listed.
        """
        with os.scandir(folder) as found:
            return [each.name + _mark(each) for each in found]

    def exists(self, path: str | Path) -> bool:
        """Whether there is anything of that path, which may still be no file."""
        try:
            return os.path.lexists(path)
        except ValueError:  # no path can hold a NUL
            return False

    def mode(self, path: str) -> int:
        """What lies at a path, as an `st_mode`; links are not followed.

        Raises:
            OSError: nothing does, or that cannot be seen.
        """
        return os.lstat(path).st_mode

    def is_file(self, path: Path) -> bool:
        """Whether a regular file is there, or a link to one."""
        return path.is_file()

    def outline(self, files: Sequence[str]) -> None:
        """Sees to it that tables and archives can be opened by their paths, as far as their outline goes.

        Args:
            files: their paths from the dataset's folder.
        """

    def open(self, path: Path) -> BinaryIO:
        """The bytes of a file that may be opened.

        Raises:
            OSError: it cannot be read.
        """
        return open_file(path)

    def read(self, path: Path, largest: int) -> bytes:
        """All bytes of a small file that may be opened.

        Raises:
            OSError: it cannot be read, or has more than `largest` bytes.
        """
        return read_file(path, largest)

    def picture(self, path: Path) -> tuple[Path | None, bytes | None]:
        """Where the bytes of a picture that may be opened are: a file of its own, or here.

        Raises:
            RowError: it cannot be read.
        """
        return path, None

    def contains(self, path: Path) -> bool:
        """Whether a path, with links resolved, lies inside the dataset."""
        return os.path.join(os.path.realpath(path), "").startswith(self._inside)  # noqa: PTH118

    def named_file(self, text: str, folder: Path, *, may_be_absolute: bool) -> Path:
        """The file that a row names, relative to `folder`.

        Raises:
            MissingImageError: it does not exist.
            UnreadableImageError: it may not be opened (outside the dataset), or is not a regular file.
        """
        shown = excerpt(text)
        if "://" in text or text[:5].lower() == "data:":
            raise UnreadableImageError(f"{shown} is a URL; a row must name a file of the dataset")
        slashed = text.replace("\\", "/")
        is_absolute = ABSOLUTE.match(slashed) is not None
        if is_absolute and not (may_be_absolute or self.follow_symlinks):
            raise UnreadableImageError(f"{shown} is an absolute path; a row must name a file by its relative path")
        if ".." in slashed.split("/") and not (is_absolute and self.follow_symlinks):
            raise UnreadableImageError(f"{shown} leads out of the dataset's folder with '..'; such paths are not read")
        path = folder / text  # an absolute path replaces the folder
        if slashed != text and not self.exists(path):  # written on Windows
            path = folder / slashed
        return self._checked(path, shown)

    def found_file(self, path: Path) -> Path:
        """A link, pipe or device that was found in the dataset's folder, when it may be opened.

        Raises:
            RowError: as `named_file`.
        """
        return self._checked(path, printable(path.name))

    def _checked(self, path: Path, shown: str) -> Path:
        """The path itself, when it lies inside and opening it gives a file's bytes without blocking."""
        try:
            if not self.follow_symlinks:
                self._check_inside(path, shown)
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingImageError(f"file not found: {shown}") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate, which no path can hold
            reason = getattr(error, "strerror", None) or error
            raise UnreadableImageError(f"{shown} cannot be read: {reason}") from error
        if not stat.S_ISREG(mode):
            raise UnreadableImageError(f"{shown} is {kind_of(mode)}, not a file")
        return path

    def _check_inside(self, path: Path, shown: str) -> None:
        real = os.path.join(self._real_folder(path.parent), path.name)  # noqa: PTH118
        if path.is_symlink():
            real = os.path.realpath(real)
        if real.startswith(self._inside):
            return
        if real == str(path):
            raise UnreadableImageError(f"{shown} lies outside the dataset's folder")
        raise UnreadableImageError(
            f"{shown} leads out of the dataset's folder; it is read only with Follow Links (follow_symlinks)"
        )


def _mark(found: os.DirEntry[str]) -> str:
    try:
        if found.is_dir():
            return "/"
        return "" if found.is_file(follow_symlinks=False) else IRREGULAR
    except OSError:  # a link in a loop
        return IRREGULAR
