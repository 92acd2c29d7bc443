"""Writes the output: built in a hidden folder, then moved into place as a whole, or removed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from wd14.data.metadata_writer import MetadataWriter
from wd14.data.output_names import OutputNames, check_caption_extension, numbered_name
from wd14.data.partial_folder import PartialFolder, write_new_file
from wd14.data.report import ReportWriter
from wd14.errors import MissingImageError, OutputError
from wd14.json_files import json_text
from wd14.run_folder import clear_leftovers, clear_noted_leftovers
from wd14.types import Destination, InputRow, Log, PictureToSave, RowReport, Summary, Written

#: What lies beside the pictures as JSON: a value, or a file's bytes as they are.
Note = Mapping[str, Any] | bytes
_NO_NOTES: Mapping[str, Note] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StagedPicture:
    """A picture that is in the output's folder already, under a temporary name."""

    path: str
    size: int  #: bytes
    as_png: bool  #: `PictureToSave.as_png`


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One row that is to be written."""

    input: InputRow
    caption: str
    staged: StagedPicture | None = None  #: the picture, where the sink wants it
    scores: tuple[tuple[str, float], ...] | None = None  #: (tag as written, score), for the extra column


class RowSink(Protocol):
    """Takes rows, in input order."""

    def discard(self, staged: Any) -> None:
        """Removes the picture of a row that failed: what was staged for it."""
        ...

    def add(self, row: OutputRow) -> str:
        """Writes one row; returns the path of its file in the output."""
        ...

    def report(self, row: RowReport) -> None:
        """Notes what became of a row, written or not."""
        ...


class Sink(RowSink, Protocol):
    """Takes a job's rows, and completes its output."""

    def stage(self, row: InputRow, picture: PictureToSave) -> StagedPicture | None:
        """Saves a picture for `add`, ahead of its turn; None where pictures are not saved. Called by any thread."""
        ...

    def finish(self, summary: Summary, provenance: Mapping[str, Any], notes: Mapping[str, Note] = ...) -> str:
        """Completes the output; returns where it is.

        Args:
            summary: how the job ended.
            provenance: how the dataset was made.
            notes: what else is to lie beside it, where it has a place for that: {name: JSON object, or its bytes}.
        """
        ...

    def abandon(self) -> None:
        """Removes an unfinished output. After `finish` it does nothing."""
        ...

    @property
    def hidden_folder(self) -> Path | None:
        """Folder of the unfinished output for what is no part of the dataset; None where there is none."""
        ...

    def written(self) -> Written:
        """What is there to stay by now, also when the job ends early."""
        ...


class DatasetWriter:
    """Writes `train/metadata.jsonl`, the pictures beside it and `.wd14/`, then moves the whole folder into place.

    Pictures lie in folders of splits and not at the top, where `datasets` would infer splits from their names
    (`test1.png`, `train station.jpg`) and lose rows, and where the classic host's trainer finds none.

    Args:
        destination: where the dataset is built, and where it goes.
        caption_column: the column of captions.
        caption_files: extension of a text file beside each picture; None = no text files.
        log: is told what `datasets` will not load as it came.
        tick: is called now and then while `finish` takes long; what it raises ends the job.

    Raises:
        ConfigError: `caption_files` is not an extension of text files.
        OutputError: the destination cannot be written to.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        caption_column: str = "caption",
        caption_files: str | None = None,
        log: Log | None = None,
        tick: Callable[[], None] | None = None,
    ) -> None:
        if caption_files is not None:
            check_caption_extension(caption_files)
        self._destination = destination
        self._log = log or _ignore
        self._metadata = MetadataWriter(caption_column, self._log, tick or _no_tick)
        self._caption_files = caption_files
        self._folders: dict[str, _PictureFolder] = {}
        self._size = 0  # bytes of all pictures
        try:
            destination.staging.mkdir(parents=True, exist_ok=True)
            destination.parent.mkdir(parents=True, exist_ok=True)
            _is_free(destination.parent / numbered_name(destination.name, 1))  # a name that cannot be: said before work
            clear_leftovers(destination.staging)
            clear_noted_leftovers()
            self._folder = PartialFolder(destination.staging, destination.name)
        except OSError as error:
            raise OutputError(
                f"cannot write to {destination.staging}: {error.strerror or error}; choose another output"
            ) from error
        self._staging = self.hidden_folder / "staging"
        # As text for what is done for every row: building a Path costs more than the rename (benchmarks: rerun).
        self._staging_prefix = os.path.join(self._staging, "")  # noqa: PTH118
        with contextlib.ExitStack() as undo:
            undo.callback(self._folder.remove)
            with self._output_errors():
                self._staging.mkdir(parents=True)
                self._report = ReportWriter(self.hidden_folder / "report.json")
            undo.pop_all()

    def stage(self, row: InputRow, picture: PictureToSave) -> StagedPicture:
        """Writes a row's picture into the output's folder, where `add` renames it.

        Any thread may call it: writing is most of the work, and need not wait for the row's turn.

        Raises:
            OutputError: the output cannot be written.
        """
        staged = StagedPicture(f"{self._staging_prefix}{row.index}", len(picture.data), picture.as_png)
        with self._output_errors():
            write_new_file(staged.path, picture.data)
        return staged

    def discard(self, staged: StagedPicture) -> None:
        """Removes the picture of a row that failed."""
        with contextlib.suppress(OSError):  # `finish` removes the folder that it is in
            os.unlink(staged.path)  # noqa: PTH108

    def add(self, row: OutputRow) -> str:
        """Gives a row's picture its name, and writes its line in `metadata.jsonl` and, if wanted, its text file.

        Raises:
            MissingImageError: the row's picture was not staged.
            OutputError: the output cannot be written.
        """
        staged = row.staged
        if staged is None:
            raise MissingImageError("the row holds no image")
        folder = self._picture_folder(row.input.folder)
        name, text_name = folder.names.take(row.input.name, as_png=staged.as_png)
        with self._output_errors():
            os.rename(staged.path, folder.prefix + name)  # noqa: PTH104
            if text_name is not None:
                write_new_file(folder.prefix + text_name, (row.caption + "\n").encode("utf-8", "replace"))
            self._metadata.add(folder.split, folder.below_split + name, row.caption, row.input.columns, row.scores)
        self._size += staged.size
        return f"{row.input.folder}/{name}"

    def _picture_folder(self, name: str) -> _PictureFolder:
        found = self._folders.get(name)
        if found is None:
            with self._output_errors():
                found = self._folders[name] = _PictureFolder(self._folder.path, name, self._caption_files)
                self._metadata.open(found.split)
        return found

    def report(self, row: RowReport) -> None:
        """Writes a row of the report.

        Raises:
            OutputError: the report cannot be written.
        """
        with self._output_errors():
            self._report.add(row)

    def finish(self, summary: Summary, provenance: Mapping[str, Any], notes: Mapping[str, Note] = _NO_NOTES) -> str:
        """Completes the dataset and moves it to the first free name.

        Args:
            summary: how the job ended.
            provenance: how the dataset was made.
            notes: what else lies in `.wd14`, by its name without `.json`.

        Returns:
            The dataset's folder.

        Raises:
            OutputError: it cannot be completed.
        """
        with self._output_errors():
            self._report.finish(summary)
            shutil.rmtree(self._staging)
            for name, note in {**notes, "provenance": provenance}.items():
                if isinstance(note, bytes):
                    write_new_file(str(self.hidden_folder / f"{name}.json"), note)
                else:
                    (self.hidden_folder / f"{name}.json").write_bytes(json_text(note))
            self._metadata.finish()
            place = str(self._move_into_place(summary))
        if "[" in place or "::" in place:
            self._log(f"`datasets` finds nothing in a folder with [ or :: in its path; move or rename it: {place}")
        return place

    def abandon(self) -> None:
        """Removes the folder that was being built; one that was moved into place is not there any more."""
        self._metadata.close()
        with contextlib.suppress(OSError):  # a full disk cannot take what is still buffered
            self._report.close()
        self._folder.remove()

    @property
    def hidden_folder(self) -> Path:
        """`.wd14` in the folder that is being built."""
        return self._folder.path / ".wd14"

    def written(self) -> Written:
        """The dataset, once it is in its place."""
        place = self._folder.moved_to
        return Written(output=None if place is None else str(place))

    def _move_into_place(self, summary: Summary) -> Path:
        for number in count(1):
            name = numbered_name(self._destination.name, number)
            place = self._destination.parent / name
            if not _is_free(place):
                continue
            if self._destination.extra_files is not None:
                for file_name, text in self._destination.extra_files(name, summary, self._size).items():
                    (self._folder.path / file_name).write_text(text, encoding="utf-8", errors="replace")
            if self._folder.move_to(place):
                break
        return place

    @contextlib.contextmanager
    def _output_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = self._destination.parent / self._destination.name
            raise OutputError(f"cannot write the dataset {place}: {error.strerror or error}") from error


class _PictureFolder:
    """A folder of the output: the pictures of a split, or of one of its concepts.

    The metadata file is the split's: nothing lies beside a concept's pictures that a trainer would take for one.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, output: Path, name: str, caption_files: str | None) -> None:
        split, _, concept = name.partition("/")
        path = output / name
        path.mkdir(parents=True)
        self.split = output / split
        self.below_split = f"{concept}/" if concept else ""
        self.prefix = os.path.join(path, "")  # noqa: PTH118 - as text: see `DatasetWriter`
        self.names = OutputNames(caption_files)


def _ignore(line: str) -> None:
    """Where no log is wanted."""


def _no_tick() -> None:
    """Where nothing can end the job."""


def _is_free(place: Path) -> bool:
    """Whether the finished dataset can go there: nothing is there, or an empty folder, which a rename replaces.

    Raises:
        OSError: there can be no file of this name.
    """
    try:
        place.lstat()
    except FileNotFoundError:
        return True
    return not place.is_symlink() and place.is_dir() and not any(place.iterdir())
