"""What travels between the rooms. Nothing here knows how any of it is made."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ImageTooLargeError, MissingImageError, RowError, UnreadableImageError

FloatArray = NDArray[np.float32]

#: Danbooru's category numbers, as `selected_tags.csv` writes them.
CATEGORY_NAMES: Mapping[int, str] = {
    0: "general",
    1: "artist",
    3: "copyright",
    4: "character",
    5: "meta",
    9: "rating",
}


#: No picture that somebody would tag has a gigabyte; a disk image that is called .png may.
MAX_IMAGE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of the source: a picture, still encoded, and where it came from.

    Exactly one of `path`, `data` and `error` says where the bytes are; they are read by `read()`, in whichever
    thread wants them, so a `Sample` is small.
    """

    index: int  #: position in the source, from 0
    name: str  #: file name that the output would like to use; no "/" in it, ending included when known
    source: str  #: where the row came from, for a person: "sub/a.png", "train.parquet row 12"
    path: Path | None = None  #: file that holds the encoded picture and nothing else
    data: bytes | None = None  #: the encoded picture, where it has no file of its own
    error: RowError | None = None  #: what the reader already found wrong with the row
    caption: str | None = None  #: the caption that the row came with, when the job asks for it
    columns: Mapping[str, Any] = field(default_factory=dict)  #: the source's other columns, when they are kept

    @property
    def label(self) -> str:
        """The row for a person: `sub/a.png`, `a.png (metadata.jsonl line 3)`."""
        return self.source if self.source.endswith(self.name) else f"{self.name} ({self.source})"

    def read(self, max_bytes: int = MAX_IMAGE_BYTES) -> bytes:
        """The encoded picture.

        Raises:
            RowError: the row cannot give one (missing, not readable, too large, or what the reader found).
        """
        return self.load(max_bytes)[0]

    def load(self, max_bytes: int = MAX_IMAGE_BYTES) -> tuple[bytes, tuple[int, int] | None]:
        """The encoded picture, and its file's `stamp` as it was right before.

        Raises:
            RowError: as `read`.
        """
        if self.error is not None:
            raise self.error
        if self.data is not None:
            _check_size(len(self.data), max_bytes)
            return self.data, None
        handle, state = self._open()
        try:
            _check_size(state.st_size, max_bytes)
            data = _read_all(handle, state.st_size)
        except OSError as error:
            raise _unreadable(error) from error
        finally:
            os.close(handle)
        if len(data) > state.st_size:
            raise UnreadableImageError("the file is growing: something still writes it")
        return data, (state.st_size, state.st_mtime_ns)

    def open(self) -> io.FileIO:
        """The picture's own file, open for reading.

        Raises:
            RowError: there is none, or it cannot be opened: not there, no permission, not a regular file.
        """
        return io.FileIO(self._open()[0], "rb")

    def _open(self) -> tuple[int, os.stat_result]:
        """The handle of the picture's own file, and its state. A row of a re-run costs no more calls than these."""
        if self.path is None:
            raise MissingImageError("the row holds no image")
        try:
            handle = os.open(self.path, _READ_WITHOUT_WAITING)
        except OSError as error:
            raise _unreadable(error) from error
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            os.close(handle)
            kind = "a folder" if stat.S_ISDIR(state.st_mode) else "a pipe, socket or device"
            raise UnreadableImageError(f"it is {kind}, not a file")
        return handle, state

    def stamp(self) -> tuple[int, int] | None:
        """(size in bytes, modification time in ns) of the picture's file; None where it has none.

        Raises:
            RowError: the file is not there or cannot be reached.
        """
        if self.error is not None or self.path is None:
            return None
        try:
            state = self.path.stat()
        except OSError as error:
            raise _unreadable(error) from error
        return state.st_size, state.st_mtime_ns


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A picture as it is to be saved."""

    data: bytes
    stamp: tuple[int, int] | None = None  #: of the sample's file that holds just these bytes; None = there is none
    as_png: bool = False  #: it was saved as PNG, whatever its name says


#: A pipe that took the file's place does not hold the thread until somebody writes. (Windows has a text mode.)
_READ_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _read_all(handle: int, size: int) -> bytes:
    """A file's bytes, and one more where it grows. Not all that is allowed at once: Python would make room for it."""
    data = os.read(handle, size + 1)
    while len(data) < size and (more := os.read(handle, size + 1 - len(data))):
        data += more
    return data


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ImageTooLargeError(f"the file has {size:,} bytes; the limit is {max_bytes:,}")


def _unreadable(error: OSError) -> RowError:
    if isinstance(error, FileNotFoundError):
        return MissingImageError("file not found")
    return UnreadableImageError(f"cannot be read: {error.strerror or error}")


#: Category of an output that a `tag_mapping.json` leaves out. The tagger sets its score to 0, and no caption names it.
UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Labels:
    """The tags of a model, in the order of its outputs.

    `categories` are lower-case names: "rating", "general", "character", "copyright", "artist", "meta", ….
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    #: kohya sorts the tags of models that come with a `tag_mapping.json` by score, those of a CSV not at all.
    order: Literal["model", "score"] = "model"

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities, one row a picture: `values` is (N, T) float32 in [0, 1], T = len(labels)."""

    labels: Labels
    values: FloatArray


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a model wants its picture."""

    size: int = 448  #: side of the square, in pixels
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    channels: Literal["BGR", "RGB"] = "BGR"
    value_range: Literal["0..255", "-1..1"] = "0..255"  #: "-1..1" is x / 127.5 - 1
    fit: Literal["pad", "squash"] = "pad"  #: pad to a square with white, or stretch to it


class Status(StrEnum):
    """How a row ended. There is no fourth way."""

    CAPTIONED = "captioned"
    FROM_SCORES = "captioned-from-scores"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row; a line of `report.json`."""

    index: int
    source: str  #: `Sample.source`
    status: Status
    input: str  #: `Sample.name`
    name: str | None = None  #: file name in the output; None when the row failed
    caption: str | None = None
    reason: str | None = None  #: why it failed
    notes: tuple[str, ...] = ()  #: what a person may want to know: "first of 12 frames", "saved as PNG on white"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands. `total` is None while the number of rows is not known."""

    done: int
    total: int | None
    failed: int
    from_scores: int
    images_per_second: float
    remaining_seconds: float | None

    @property
    def fraction(self) -> float | None:
        """Share of the rows that are done, 0..1, or None when the total is not known."""
        return None if not self.total else min(1.0, self.done / self.total)


@dataclass(frozen=True, slots=True)
class Summary:
    """How a job ended."""

    total: int
    captioned: int  #: by the model, in this run
    from_scores: int  #: from stored scores
    failed: int
    seconds: float
    output: str | None  #: where the result is: a folder or a dataset id; None when nothing was written
    failures: tuple[tuple[str, str], ...] = ()  #: the first few: (source, reason)
    device: str | None = None  #: what the model ran on; None when it was not needed

    @property
    def succeeded(self) -> int:
        """Rows that have a caption."""
        return self.captioned + self.from_scores


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a dataset is to appear, and where it is built before that.

    `staging` and `parent` lie on one filesystem, so that the finished dataset moves into place in one rename.
    `extra_files(name, rows)` are files of the host's own, written at the top of the dataset: {file name: text}.
    """

    parent: Path
    name: str
    staging: Path
    extra_files: Callable[[str, int], Mapping[str, str]] | None = None


class Log(Protocol):
    """Says a line to the person who watches the job."""

    def __call__(self, line: str, /) -> None: ...
