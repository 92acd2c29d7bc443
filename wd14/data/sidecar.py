"""Writes text files beside the source's own pictures, as kohya's trainers read them, and nothing else."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wd14.data.output_names import check_caption_extension
from wd14.data.writer import OutputRow, StagedPicture
from wd14.errors import CaptionFileExistsError, ConfigError, OutputError, UnreadableImageError
from wd14.types import InputRow, PictureToSave, RowReport, Summary

#: Extension of a text file that is being written.
_TEMPORARY = ".wd14-caption"
#: Seconds after which a temporary file must be one of a killed run.
_STALE_AFTER = 60.0
#: The errors of making a hard link on filesystems that have none.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}


class SidecarWriter:
    """Writes `picture.txt` beside `picture.png`, each in one step; the pictures are not touched.

    A text file that exists stays as it is and its row fails, unless `replace` says that the new text contains the old
    (tags are appended).

    Args:
        folder: the source's folder.
        extension: of the text files, with its dot.
        replace: whether a text file may be replaced.

    Raises:
        ConfigError: the source is not a folder, or `extension` is not one of text files.
    """

    def __init__(self, folder: Path, *, extension: str, replace: bool) -> None:
        if not folder.is_dir():
            raise ConfigError(f"In Place (in_place) needs a folder of pictures to write into, got {folder}")
        check_caption_extension(extension)
        self._folder = folder
        self._extension = extension
        self._replace = replace
        self._swept: set[Path] = set()
        self._written: set[int] = set()  # hashes of the text files of this run, which take less memory than paths

    def stage(self, row: InputRow, picture: PictureToSave) -> None:
        """Nothing: the pictures stay where they are."""

    def discard(self, staged: StagedPicture) -> None:
        """Nothing."""

    def add(self, row: OutputRow) -> str:
        """Writes the text file of one row.

        Raises:
            RowError: the picture has no file of its own, or its text file exists.
            OutputError: the folder cannot be written to.
        """
        picture = row.input.path
        if picture is None:
            raise UnreadableImageError("the picture has no file of its own to write a caption beside")
        self._remove_stale_files(picture.parent)
        target = picture.with_name(os.path.splitext(picture.name)[0] + self._extension)  # noqa: PTH122 - takes "a." too
        exists = f"{target.name} is there already and was left alone"
        if hash(target) in self._written or (not self._replace and os.path.lexists(target)):
            raise CaptionFileExistsError(exists)
        temporary = target.with_name(f".{secrets.token_hex(8)}{_TEMPORARY}")
        try:
            temporary.write_text(row.caption + "\n", encoding="utf-8", errors="replace", newline="\n")
            if self._replace:
                temporary.replace(target)
            else:
                _rename_without_replacing(temporary, target)
        except FileExistsError as error:  # since we looked
            raise CaptionFileExistsError(exists) from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise UnreadableImageError("its name is too long for a text file beside it") from error
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._written.add(hash(target))
        return target.name

    def _remove_stale_files(self, folder: Path) -> None:
        """Removes, once per folder, what a run that was killed while it wrote a text file left there."""
        if folder in self._swept:
            return
        self._swept.add(folder)
        for temporary in folder.glob(f".*{_TEMPORARY}"):
            with contextlib.suppress(OSError):
                if time.time() - temporary.lstat().st_mtime > _STALE_AFTER:
                    temporary.unlink()

    def report(self, row: RowReport) -> None:
        """Nothing: only text files are written."""

    def finish(self, summary: Summary, provenance: Mapping[str, Any]) -> str:  # noqa: ARG002 - the Sink protocol's
        """The folder that the text files are in."""
        return str(self._folder)

    def abandon(self) -> None:
        """Nothing: every text file is complete, and stays."""


def _rename_without_replacing(temporary: Path, target: Path) -> None:
    """Gives a file its name, unless a file has it.

    Raises:
        FileExistsError: a file has it.
        OSError: it cannot be renamed.
    """
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        temporary.rename(target)
