"""The types that pass between the parts of the package, and what they agree on. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wd14.errors import RowError, ScoringError

if TYPE_CHECKING:
    from wd14.disagreement import Disagreement

FloatArray = NDArray[np.float32]
PixelArray = NDArray[np.uint8]
IndexArray = NDArray[np.intp]
Box = tuple[int, int, int, int]
"""(left, top, right, bottom), in pixels; right and bottom are the first that no longer belong to it."""

#: Danbooru's category numbers, as `selected_tags.csv` writes them.
CATEGORY_NAMES: Mapping[int, str] = {
    0: "general",
    1: "artist",
    3: "copyright",
    4: "character",
    5: "meta",
    9: "rating",
}


#: Scores below are not stored (ratings are), so no caption may depend on them; compared in float32. A threshold below
#: it makes a job score every picture anew.
SCORE_FLOOR = 0.01


def row_label(name: str, source: str) -> str:
    """A row for a person, from `InputRow.name` and `InputRow.source`: `sub/a.png`, `a.png (metadata.jsonl line 3)`."""
    return source if source.endswith(name) else f"{name} ({source})"


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row of the source: a picture, still encoded, and where it came from.

    Exactly one of `path`, `data` and `error` says where the picture's bytes are; `images.reading` reads them, in
    whichever thread wants them, so an `InputRow` is small.
    """

    index: int  #: position in the source, from 0
    name: str  #: file name that the output would like to use; no "/" in it, with its extension when that is known
    source: str  #: where the row came from, for a person: "sub/a.png", "train.parquet row 12"
    path: Path | None = None  #: file that holds the encoded picture and nothing else
    data: bytes | None = None  #: the encoded picture, where it has no file of its own
    error: RowError | None = None  #: what the reader already found wrong with the row
    caption: str | None = None  #: the caption that the row came with, when the job asks for it
    columns: Mapping[str, Any] = field(default_factory=dict)  #: the source's other columns, when they are kept
    #: Folder of the output that the row goes into: its split, and below it the concept where a trainer wants one.
    folder: str = "train"
    key: str = ""  #: what names the row within the source, for a program: path, `a.tar/0001.jpg`, `t.parquet#12`

    @property
    def label(self) -> str:
        """The row for a person."""
        return row_label(self.name, self.source)


@dataclass(frozen=True, slots=True)
class PictureToSave:
    """A picture as the output is to hold it."""

    data: bytes
    as_png: bool = False  #: it is PNG now, and its format was another: the name's extension must change


@dataclass(eq=False, slots=True)
class ScoringResult:
    """What scoring a picture gave; rows that hold the same picture share one."""

    scores: FloatArray | None = None  #: (T,) float32 probabilities
    error: RowError | None = None

    def require_scores(self) -> FloatArray:
        """The scores, (T,) float32.

        Raises:
            RowError: what went wrong instead.
        """
        if self.error is not None:
            raise self.error
        if self.scores is None:
            raise ScoringError("the model gave no scores")
        return self.scores


@dataclass(eq=False, slots=True)
class DecodedRow:
    """A row whose picture was read; it is ready for the model, has stored scores, or has failed."""

    input: InputRow
    digest: bytes = b""  #: sha256 of the encoded picture
    size: int = 0  #: bytes of the encoded picture
    pixels: PixelArray | None = None  #: what the model is to see, until the picture is scored
    box: Box | None = None  #: where the picture lies in `pixels`, for models that ask for a mask
    staged: Any = None  #: the picture's place in the output that is being built
    result: ScoringResult = field(default_factory=ScoringResult)
    facts: PictureFacts | None = None  #: where the picture was decoded, or the stored ones were asked for
    thumbnail: bytes | None = None  #: for the review page, where it was made anew
    has_thumbnail: bool = False  #: whether the review page has one
    saved_digest: bytes = b""  #: sha256 of the picture as it is saved, where that is changed
    from_scores: bool = False  #: whether the scores are stored ones, or those of the same picture in another row
    notes: list[str] = field(default_factory=list)  #: see `RowReport.notes`


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
    #: Pictures with each tag on the site that the model learned from, 0 = not known; empty = no count at all.
    counts: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


#: Side, in pixels, of `PictureFacts.thumbnail`.
THUMBNAIL_SIDE = 16


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a check of a dataset wants to know of a picture, upright and on white; kept beside its scores."""

    width: int  #: in pixels
    height: int
    sharpness: float  #: of its edges, see `images.facts`; the lower, the more blurred
    thumbnail: bytes  #: `THUMBNAIL_SIDE` squared grey values, row by row, of the picture stretched to a square


@dataclass(frozen=True, slots=True)
class RefineTables:
    """What a `Refine` goes by; tags are positions."""

    weights: list[int]  #: of every tag: whether a picture shows one person, see `curation.people`
    order: list[int]  #: the tags that may leave and those that they leave for, winners before losers
    winners: Mapping[int, Collection[int]]  #: of a loser
    mixers: Mapping[tuple[int, int], Collection[int]]  #: of (loser, winner): tags beside which both are right


class Refine(Protocol):
    """From the positions of a picture's kept tags, ascending, to those that its caption is to have."""

    def __call__(self, kept: IndexArray, /) -> IndexArray: ...

    def tables(self) -> RefineTables:
        """What it goes by."""
        ...


@dataclass(frozen=True, slots=True)
class Curation:
    """What the plan of a dataset does to each of its captions."""

    #: Tags, as the model names them, that no caption has.
    left_out: frozenset[str] = frozenset()
    #: Character tags, as the model names them, of which captions have the series only.
    without_name: frozenset[str] = frozenset()
    refine: Refine | None = None


class Status(StrEnum):
    """How a row ended. There is no fifth way."""

    CAPTIONED = "captioned"
    FROM_SCORES = "captioned-from-scores"
    REJECTED = "rejected"  #: by a person's edit
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RowReport:
    """What became of one row; a line of `report.json`."""

    index: int
    source: str  #: `InputRow.source`
    status: Status
    input: str  #: `InputRow.name`
    name: str | None = None  #: path in the output, `train/a.png`; None when the row failed or was rejected
    caption: str | None = None
    unedited: str | None = None  #: the caption without a person's edits, where it is another; also of a rejected row
    reason: str | None = None  #: why it failed
    sha256: str = ""  #: of the picture in the source; empty where it could not be read
    saved_sha256: str = ""  #: of the picture in the output, where it was changed
    notes: tuple[str, ...] = ()  #: what a person may want to know: "first of 12 frames", "saved as RGB on white"


@dataclass(frozen=True, slots=True)
class FinishedRow:
    """A row that is done, for everything that wants to know what became of it."""

    row: DecodedRow
    report: RowReport
    tags: tuple[str, ...] = ()  #: the model's tags in its caption, as written
    unedited: str = ""  #: the caption without a person's edits, also of a rejected picture
    applied: tuple[bool, ...] = ()  #: of each of the picture's edits, whether the caption is as it says
    too_long: bool = False  #: whether the caption has more tokens than it may


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that a person did to captions; docs/review.md says what each does."""

    op: Literal["add", "remove", "replace", "set", "reject"]
    tag: str = ""  #: of add, remove and replace, in any spelling
    replacement: str = ""  #: of replace
    caption: str = ""  #: of set
    keeps_first: bool = False  #: of reject: of pictures with the same bytes the first one stays


class PictureEdits(NamedTuple):
    """The edits of one picture, in order."""

    positions: tuple[int, ...] = ()  #: among all edits
    edits: tuple[Edit, ...] = ()
    rejected: bool = False
    keeps_first: bool = False  #: rejected unless it is the first of the pictures with these bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands. `total` is None while the number of rows is not known.

    A job that studies the dataset first goes over it twice; the counts and the time left are those of one pass.
    """

    done: int
    total: int | None
    failed: int
    from_scores: int
    pictures_per_second: float
    remaining_seconds: float | None
    phase: str = ""  #: what the pass is called where there are several: "Study"
    span: tuple[float, float] = (0.0, 1.0)  #: the pass within the job, as fractions of it
    note: str = ""  #: what else a person wants to know: "12 of 120 shards"
    unit: str = "picture"  #: what is counted

    @property
    def fraction(self) -> float | None:
        """Share of the job that is done, 0..1, or None when the total is not known."""
        begin, end = self.span
        return None if not self.total else begin + (end - begin) * min(1.0, self.done / self.total)


@dataclass(frozen=True, slots=True)
class Written:
    """What of a job's output is there to stay, also when the job ends early."""

    output: str | None = None  #: the dataset's folder, once it is complete and in its place
    caption_files: int | None = None  #: text files written beside the pictures; None = not a job in place
    left_alone: int = 0  #: text files that were there, and that the job did not change


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
    precision: str | None = None  #: what it ran in: "exact" or "fast"
    rejected: int = 0  #: pictures that are left out by a person's edits
    without_tags: int = 0  #: captions in which the model put no tag
    too_long: int = 0  #: captions with more tokens than they may have, though all that may be left out is
    frequent_tags: tuple[tuple[str, int], ...] = ()  #: the ten most frequent tags as captions have them, with counts
    model: str = ""  #: the tagger's id or folder
    thresholds: str = ""  #: in words: "general 0.35, character 0.85"
    caption_column: str = "caption"  #: the output's column of captions
    written: Written = Written()  #: `output` again, or how many text files a job in place wrote
    disagreement: Disagreement | None = None  #: of an ensemble

    @property
    def succeeded(self) -> int:
        """Rows that have a caption."""
        return self.captioned + self.from_scores

    def counts(self) -> dict[str, int]:
        """How many rows ended in which way, as the files beside a dataset name it."""
        return {
            "rows": self.total,
            "captioned": self.captioned,
            "captioned_from_scores": self.from_scores,
            "rejected": self.rejected,
            "failed": self.failed,
        }


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a dataset is to appear, and where it is built before that.

    `staging` and `parent` lie on one filesystem, so that the finished dataset moves into place in one rename.
    `extra_files(name, summary, size)` are files beside the pictures, {path in the dataset: text}, that depend on
    `name`, the dataset's final name; `size` are the bytes of its pictures.
    """

    parent: Path
    name: str
    staging: Path
    extra_files: Callable[[str, Summary, int], Mapping[str, str]] | None = None


class Log(Protocol):
    """Says a line to the person who watches the job."""

    def __call__(self, line: str, /) -> None: ...


class TokenCounter(Protocol):
    """Counts the tokens that a text encoder sees in a text, without the two that open and close it."""

    @property
    def is_exact(self) -> bool:
        """Whether it counts; else it estimates, from above."""
        ...

    def __call__(self, text: str, /) -> int: ...
