"""kohya-style text files next to the source's own pictures, and nothing else."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wd14.data.report import Tally
from wd14.data.writer import OutputRow, StagedPicture, check_text_ending
from wd14.errors import CaptionFileExistsError, ConfigError, OutputError, UnreadableImageError
from wd14.types import InputRow, PictureToSave, RowReport

#: Ending of a text file that is being written; it has its own name a moment later.
_ASIDE = ".wd14-caption"
#: After so many seconds one that is still there was left by a killed run.
_STALE = 60.0
#: What a link answers on filesystems that have none.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}


class SidecarWriter:
    """Writes `picture.txt` beside `picture.png`, each in one step; the pictures are not touched.

    A text file that is there already stays as it is and its row fails, unless `replace` says that the new text
    holds the old one (tags are appended).

    Args:
        folder: the source's folder.
        extension: ending of the text files, with its dot.
        replace: whether a text file may be replaced.

    Raises:
        ConfigError: the source is no folder of pictures, or `extension` no ending of text files.
    """

    def __init__(self, folder: Path, *, extension: str, replace: bool) -> None:
        if not folder.is_dir():
            raise ConfigError(f"In Place (in_place) writes beside pictures in a folder; {folder} is none")
        check_text_ending(extension)
        self._folder = folder
        self._extension = extension
        self._replace = replace
        self._swept: set[Path] = set()
        self._written: set[int] = set()  # hashes of the text files of this run

    def stage(self, row: InputRow, picture: PictureToSave) -> None:
        """Nothing: the pictures stay where they are."""

    def discard(self, staged: StagedPicture) -> None:
        """Nothing, likewise."""

    def add(self, row: OutputRow) -> str:
        """Writes the text file of one row.

        Raises:
            RowError: the picture has no file of its own, or its text file is there already.
            OutputError: the folder cannot be written to.
        """
        if row.input.path is None:
            raise UnreadableImageError("the picture has no file of its own to write a caption beside")
        picture = row.input.path
        self._sweep(picture.parent)
        target = picture.with_name(os.path.splitext(picture.name)[0] + self._extension)  # noqa: PTH122 - takes "a." too
        if hash(target) in self._written or (not self._replace and os.path.lexists(target)):
            raise CaptionFileExistsError(f"{target.name} is there already and was left alone")
        aside = target.with_name(f".{secrets.token_hex(8)}{_ASIDE}")
        try:
            aside.write_text(row.caption + "\n", encoding="utf-8", errors="replace", newline="\n")
            if self._replace:
                aside.replace(target)
            else:
                _name_without_replacing(aside, target)
        except FileExistsError as error:  # since we looked
            raise CaptionFileExistsError(f"{target.name} is there already and was left alone") from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise UnreadableImageError("its name is too long for a text file beside it") from error
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
        self._written.add(hash(target))
        return target.name

    def _sweep(self, folder: Path) -> None:
        """Removes, once a folder, what a run that was killed while it wrote a text file left there."""
        if folder in self._swept:
            return
        self._swept.add(folder)
        for left in folder.glob(f".*{_ASIDE}"):
            with contextlib.suppress(OSError):
                if time.time() - left.lstat().st_mtime > _STALE:
                    left.unlink()

    def record(self, result: RowReport) -> None:
        """Nothing: only text files are written."""

    def finish(self, tally: Tally, provenance: Mapping[str, Any]) -> str:  # noqa: ARG002 - the Sink protocol's
        """The folder that the text files are in."""
        return str(self._folder)

    def abandon(self) -> None:
        """Nothing: every text file is complete, and stays."""


def _name_without_replacing(aside: Path, target: Path) -> None:
    """Gives a file its name, if no file has it.

    Raises:
        FileExistsError: one has.
        OSError: as the system says.
    """
    try:
        os.link(aside, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        aside.rename(target)
