"""Writes text files beside the source's own pictures, as kohya's trainers read them, and nothing else."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

from wd14.data.caption_files import (
    TEMPORARY,
    caption_file,
    caption_in,
    create,
    left_alone,
    read_caption_file,
    replace,
)
from wd14.data.output_names import check_caption_extension
from wd14.data.sources.confinement import Confinement
from wd14.data.writer import OutputRow, StagedPicture
from wd14.errors import CaptionFileExistsError, ConfigError, OutputError, UnreadableImageError
from wd14.types import InputRow, PictureToSave, RowReport, Written

#: Seconds after which a temporary file must be one of a killed run.
_STALE_AFTER = 60.0
#: The errors of a folder that may not be written to: one of several in the source, perhaps.
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class SidecarWriter:
    """Writes `picture.txt` beside `picture.png`; the pictures are not touched.

    A text file that exists stays as it is and its row fails, unless `append` says that the new text was made from the
    old one: then it is replaced, if it still holds that. One that has all the tags already is not written again.

    Args:
        folder: the source's folder.
        extension: of the text files, with its dot.
        append: whether captions are what the text files hold and more.
        follow_symlinks: whether text files that are links may lead out of the folder.

    Raises:
        ConfigError: the source is not a folder, or `extension` is not one of text files.
        OutputError: the folder may not be written to.
    """

    def __init__(self, folder: Path, *, extension: str, append: bool, follow_symlinks: bool = False) -> None:
        if not folder.is_dir():
            raise ConfigError(f"In Place (in_place) needs a folder of pictures to write into, got {folder}")
        check_caption_extension(extension)
        if not os.access(folder, os.W_OK):  # said before hours of work; a folder in it costs its own rows only
            raise OutputError(f"cannot write into {folder}: its permissions do not allow it")
        self._folder = folder
        self._extension = extension
        self._append = append
        self._files = Confinement(folder, follow_symlinks=follow_symlinks)
        self._swept: set[Path] = set()
        self._ours: set[int] = set()  # hashes of the inodes of this run's files, which take less memory than paths
        self._written = 0
        self._left_alone = 0

    def stage(self, row: InputRow, picture: PictureToSave) -> None:
        """Nothing: the pictures stay where they are."""

    def discard(self, staged: StagedPicture) -> None:
        """Nothing."""

    def add(self, row: OutputRow) -> str:
        """Writes the text file of one row.

        Raises:
            RowError: the picture has no file of its own, or its text file was left alone; the message says why.
            OutputError: the folder cannot be written to.
        """
        if row.input.path is None:
            raise UnreadableImageError("the picture has no file of its own to write a caption beside")
        path = Path(caption_file(row.input.path, self._extension))
        try:
            is_new_text = self._write(path, row)
        except CaptionFileExistsError:
            self._left_alone += 1
            raise
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise UnreadableImageError("its name is too long for a text file beside it") from error
            if error.errno in _FORBIDDEN:
                raise UnreadableImageError(f"{path.name} may not be written in its folder: {error.strerror}") from error
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
        if (inode := _inode(path)) is not None:
            self._ours.add(inode)
        self._written += is_new_text
        self._left_alone += not is_new_text
        return path.name

    def _write(self, path: Path, row: OutputRow) -> bool:
        """Writes a text file; returns False when it has this text already."""
        self._remove_stale_files(path.parent)
        new = f"{row.caption}\n".encode("utf-8", "replace")
        if not self._append and os.path.lexists(path):
            raise left_alone(path, "is there already")
        if _inode(path) in self._ours:  # a.txt of a.jpg and a.png, or of two pictures by links
            raise left_alone(path, "is the caption file of an earlier row too")
        old = read_caption_file(str(path), self._files)
        if old is None:
            try:
                create(path, new)
            except FileExistsError as error:  # since we looked
                raise left_alone(path, "is there already") from error
            return True
        text = caption_in(old, str(path))
        if text not in (None, row.input.caption):
            raise left_alone(path, "was changed since its caption was read")
        if text == row.caption:
            return False
        if path.is_symlink():
            self._remove_stale_files(Path(os.path.realpath(path)).parent)
        replace(path, old, new, self._files)
        return True

    def _remove_stale_files(self, folder: Path) -> None:
        """Removes, once per folder, what a run that was killed while it wrote a text file left there."""
        if folder in self._swept:
            return
        self._swept.add(folder)
        for temporary in folder.glob(f".*{TEMPORARY}"):
            with contextlib.suppress(OSError):
                if time.time() - temporary.lstat().st_mtime > _STALE_AFTER:
                    temporary.unlink()

    def report(self, row: RowReport) -> None:
        """Nothing: only text files are written."""

    def finish(self, *_: object) -> str:
        """The folder that the text files are in."""
        return str(self._folder)

    def abandon(self) -> None:
        """Nothing: every text file is complete, and stays."""

    @property
    def hidden_folder(self) -> None:
        """None: only text files are written."""

    def written(self) -> Written:
        """How many text files this run wrote and left alone by now."""
        return Written(caption_files=self._written, left_alone=self._left_alone)


def _inode(path: Path) -> int | None:
    """The same number for all names of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:  # what reads or writes it says why
        return None
    return hash((found.st_dev, found.st_ino))
