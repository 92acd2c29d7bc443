"""The dataset that comes out: built aside, and in place in one step or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wd14.data.output_names import OutputNames, candidate_names
from wd14.data.partial_folder import OCCUPIED, PartialFolder, clear_leftovers, write_new_file
from wd14.data.report import ReportWriter, Tally, write_json
from wd14.errors import ConfigError, MissingImageError, OutputError
from wd14.images.formats import is_picture
from wd14.types import Destination, InputRow, PictureToSave, RowReport

#: Columns that the output itself writes; a kept column of the same name gets `_source` at its end.
_OWN_COLUMNS = frozenset({"file_name", "caption", "scores"})


@dataclass(frozen=True, slots=True)
class StagedPicture:
    """A picture that is in the output's folder already, under a name for the time being."""

    path: str
    as_png: bool  #: it was saved as PNG, whatever the row's name says


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One row that is to be written."""

    input: InputRow
    caption: str
    staged: StagedPicture | None = None  #: the picture, where the sink wants it
    scores: tuple[tuple[str, float], ...] | None = None  #: (tag as written, score), for the extra column


class Sink(Protocol):
    """Takes a job's rows, in input order."""

    def stage(self, row: InputRow, picture: PictureToSave) -> StagedPicture | None:
        """Brings a picture where `add` needs it, ahead of its turn; None where nothing is to be brought. Any thread."""
        ...

    def discard(self, staged: StagedPicture) -> None:
        """Removes what was stashed for a row that failed."""
        ...

    def add(self, row: OutputRow) -> str:
        """Writes one row; gives the name under which its picture can be found."""
        ...

    def record(self, result: RowReport) -> None:
        """Notes what became of a row, written or not."""
        ...

    def finish(self, tally: Tally, provenance: Mapping[str, Any]) -> str:
        """Completes the output; gives the place where it is."""
        ...

    def abandon(self) -> None:
        """Removes what was begun. After `finish` it does nothing."""
        ...


class DatasetWriter:
    """Writes `metadata.jsonl`, the pictures and `.wd14/`, then moves the whole folder into place.

    Args:
        destination: where it goes and where it is built.
        caption_files: ending of a text file beside each picture, or None for none.

    Raises:
        ConfigError: `caption_files` is no ending of text files.
        OutputError: the place cannot be written to.
    """

    def __init__(self, destination: Destination, *, caption_files: str | None = None) -> None:
        if caption_files is not None:
            check_text_ending(caption_files)
        self._destination = destination
        self._names = OutputNames(caption_files)
        self._rows = 0
        self._finished = False
        try:
            destination.staging.mkdir(parents=True, exist_ok=True)
            destination.parent.mkdir(parents=True, exist_ok=True)
            _is_free(destination.parent / next(candidate_names(destination.name)))  # a place no name can have: said now
            clear_leftovers(destination.staging)
            self._folder = PartialFolder(destination.staging, destination.name)
        except OSError as error:
            raise OutputError(
                f"cannot write to {destination.staging}: {error.strerror or error}; choose another output"
            ) from error
        hidden = self._folder.path / ".wd14"
        self._incoming = hidden / "incoming"
        # For every row: as text, since a Path costs more than what is done with it.
        self._place = os.path.join(self._folder.path, "")  # noqa: PTH118
        self._staging = os.path.join(self._incoming, "")  # noqa: PTH118
        with contextlib.ExitStack() as undo:
            undo.callback(self._folder.remove)
            try:
                hidden.mkdir()
                self._incoming.mkdir()
                # A lone surrogate, which no UTF-8 file can hold, becomes a question mark.
                metadata = (self._folder.path / "metadata.jsonl").open(
                    "w", encoding="utf-8", errors="replace", newline="\n"
                )
                self._metadata = undo.enter_context(metadata)
                self._report = ReportWriter(hidden / "report.json")
            except OSError as error:
                raise _output_error(destination, error) from error
            undo.pop_all()

    def stage(self, row: InputRow, picture: PictureToSave) -> StagedPicture:
        """Writes a row's picture into the output's folder, where `add` gives it its name.

        Any thread may call it: the writing, which costs most, need not wait for the row's turn.

        Raises:
            OutputError: the output cannot be written.
        """
        staged = StagedPicture(f"{self._staging}{row.index}", picture.as_png)
        try:
            write_new_file(staged.path, picture.data)
        except OSError as error:
            raise _output_error(self._destination, error) from error
        return staged

    def discard(self, staged: StagedPicture) -> None:
        """Removes a picture whose row failed."""
        with contextlib.suppress(OSError):  # it goes with the folder it lies in, at the latest
            os.unlink(staged.path)  # noqa: PTH108

    def add(self, row: OutputRow) -> str:
        """Gives a row's picture its name, and writes its line in `metadata.jsonl` and, if asked for, its text file.

        Raises:
            MissingImageError: the row's picture was not stashed.
            OutputError: the output cannot be written.
        """
        staged = row.staged
        if staged is None:
            raise MissingImageError("the row holds no image")
        name, caption_name = self._names.take(row.input.name, as_png=staged.as_png)
        line: dict[str, Any] = {"file_name": name, "caption": row.caption}
        for key, value in row.input.columns.items():
            line[f"{key}_source" if key in _OWN_COLUMNS else key] = value
        if row.scores is not None:
            # A list of pairs and not an object: readers would make a column of every tag.
            line["scores"] = [{"tag": tag, "score": score} for tag, score in row.scores]
        try:
            os.rename(staged.path, self._place + name)  # noqa: PTH104
            if caption_name is not None:
                write_new_file(self._place + caption_name, (row.caption + "\n").encode("utf-8", "replace"))
            self._metadata.write(_to_json(line) + "\n")
        except OSError as error:
            raise _output_error(self._destination, error) from error
        self._rows += 1
        return name

    def record(self, result: RowReport) -> None:
        """Writes a row of the report.

        Raises:
            OutputError: the report cannot be written.
        """
        try:
            self._report.add(result)
        except OSError as error:
            raise _output_error(self._destination, error) from error

    def finish(self, tally: Tally, provenance: Mapping[str, Any]) -> str:
        """Completes the dataset and moves it to the first free name.

        Returns:
            The dataset's folder.

        Raises:
            OutputError: it cannot be completed.
        """
        try:
            self._report.finish(tally)
            shutil.rmtree(self._incoming)
            write_json(self._folder.path / ".wd14" / "provenance.json", provenance)
            self._metadata.flush()
            os.fsync(self._metadata.fileno())
            self._metadata.close()
            place = self._move_into_place()
        except OSError as error:
            raise _output_error(self._destination, error) from error
        self._finished = True
        return str(place)

    def abandon(self) -> None:
        """Removes the folder that was being built."""
        if self._finished:
            return
        self._finished = True
        for file in (self._metadata, self._report):
            with contextlib.suppress(OSError):  # a full disk cannot take what is still buffered
                file.close()
        self._folder.remove()

    def _move_into_place(self) -> Path:
        folder = self._folder
        for name in candidate_names(self._destination.name):
            place = self._destination.parent / name
            if not _is_free(place):
                continue
            if self._destination.extra_files is not None:
                for file_name, text in self._destination.extra_files(name, self._rows).items():
                    (folder.path / file_name).write_text(text, encoding="utf-8", errors="replace")
            try:
                # On every system a rename replaces an empty folder at most, so two runs cannot take one name.
                folder.path.rename(place)
            except OSError as error:
                if error.errno in OCCUPIED:
                    continue
                raise
            folder.release()
            return place
        raise OutputError("no free name")  # not reached: the names do not end


#: `json.dumps` makes an encoder for every call that wants something else than its defaults.
_to_json = json.JSONEncoder(ensure_ascii=False).encode


def check_text_ending(ending: str) -> None:
    """Refuses endings under which a text file would not lie beside its picture, or take its place.

    Raises:
        ConfigError: it is such a one.
    """
    plain = ending.isprintable() and not set(ending) & set('/\\<>:"|?*')
    if (
        not plain
        or len(ending) < 2
        or len(ending) > 32
        or ending[0] != "."
        or ending[-1] in ". "
        or is_picture("a" + ending)
    ):
        raise ConfigError(
            f"Caption File Ending (caption_extension) is {ending!r}; allowed: a dot and the ending of text files, .txt"
        )


def _is_free(place: Path) -> bool:
    """Whether a finished dataset can take a place: nothing is there, or an empty folder.

    Raises:
        OSError: no file can have this name.
    """
    try:
        place.lstat()
    except FileNotFoundError:
        return True
    return _is_empty_folder(place)


def _is_empty_folder(path: Path) -> bool:
    """Whether it is a real folder with nothing in it, which a rename may take over with no loss."""
    if path.is_symlink() or not path.is_dir():
        return False
    return not any(path.iterdir())


def _output_error(destination: Destination, error: OSError) -> OutputError:
    place = destination.parent / destination.name
    return OutputError(f"cannot write the dataset {place}: {error.strerror or error}")
