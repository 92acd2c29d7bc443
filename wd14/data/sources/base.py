"""What every kind of source offers: its splits, its columns, its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from wd14.data.pieces import Kind, Piece
from wd14.data.sources.confinement import Confinement
from wd14.errors import RowError
from wd14.text import printable

#: The picture's column where the source itself does not name it: pictures in folders, `file_name` in metadata files,
#: members of tar archives.
IMAGE_COLUMN = "image"
#: The column of a metadata file that names the picture.
FILE_NAME = "file_name"
#: What a file holds may have so many times the file's own bytes when it is unpacked, and a picture more. Pictures
#: hardly shrink: a file that claims more was made to waste time and memory.
MOST_INFLATION = 100
#: Columns that are kept, beside the picture.
MOST_COLUMNS = 10_000


def column_names(keys: Collection[str]) -> dict[str, str]:
    """What the columns of a metadata file are called, by their keys in it, as `datasets` calls them.

    `file_name` is `image`, and `mask_file_name` is `mask` unless there is another `mask`.
    """
    names: dict[str, str] = {}
    for key in keys:
        name = IMAGE_COLUMN if key == FILE_NAME else key.removesuffix(f"_{FILE_NAME}") or key
        is_taken = name != key and key != FILE_NAME and (name in keys or (name == IMAGE_COLUMN and FILE_NAME in keys))
        names[key] = key if is_taken else name
    return names


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its source declares it."""

    name: str
    type: str = ""  #: in the source's own words; empty where it declares none
    can_hold_images: bool = True
    can_be_json: bool = True  #: whether its values can be copied into a metadata file

    def __str__(self) -> str:
        return printable(f"{self.name} ({self.type})" if self.type else self.name)


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as its source has it, nothing checked yet.

    Among `values`, a `Path` is a file that was found inside the dataset, text in the picture's column is a path that
    must still be checked, and a `RowError` says what is wrong with that value.
    """

    source: str  #: for a person: "sub/a.png", "metadata.jsonl line 3"
    values: Mapping[str, Any] = field(default_factory=dict)
    error: RowError | None = None  #: what is wrong with the row as a whole
    name: str = ""  #: base name of the picture, where the picture's value does not tell it
    folder: Path | None = None  #: what relative paths in the row start from; None = the row may not name files
    may_be_absolute: bool = False  #: whether an absolute path into the dataset's own folder is allowed
    split: str = "train"  #: the source's split that the row belongs to
    picture_folder: str = ""  #: of the picture within the dataset, parts joined with "/"; empty = the dataset's own
    key: str = ""  #: see `InputRow.key`


class Layout(ABC):
    """A kind of source, opened and looked over; its rows are read on demand, as often as asked.

    Attributes:
        splits: number of rows of each split, None where counting would mean reading; never empty.
        columns: the columns there are, the picture's included.
        rows_of_no_split: rows that come with every split: lines that cannot be read.
        confinement: where the files that its rows name are; None = where the source itself is.
        names: of metadata files, what the columns are called, by their keys in the files.
        kind: what `cut` gives.
    """

    kind: ClassVar[Kind] = "rows"
    names: Mapping[str, str] = MappingProxyType({})
    splits: Mapping[str, int | None]
    columns: Sequence[Column]
    rows_of_no_split: int = 0
    confinement: Confinement | None = None

    @abstractmethod
    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows of some splits in a stable order, with the values of (at least) some columns.

        Files are closed when the iteration ends or is closed.
        """

    def files(self, splits: Collection[str]) -> Iterator[str]:
        """Paths of the files that hold the rows of some splits, from the dataset's folder, in the order of the rows."""
        raise NotImplementedError

    def cut(self, splits: Collection[str], rows: int) -> Iterator[Piece]:
        """The rows of some splits in pieces of about so many or fewer, in order; pictures are not read.

        `PieceReader.rows` of the same kind of source reads them.
        """
        raise NotImplementedError

    def row_count(self, splits: Collection[str]) -> int | None:
        """Number of rows that `rows` gives for some splits; None when it is not known."""
        counts = [number for split in splits if (number := self.splits[split]) is not None]
        return self.rows_of_no_split + sum(counts) if len(counts) == len(splits) else None


class PieceReader(Protocol):
    """Reads pieces of one kind of source. It knows nothing of the source's other files, and looks at none."""

    def rows(self, piece: Piece, columns: Collection[str]) -> Iterator[RawRow]:
        """The rows of a piece, with the values of (at least) some columns: those that `Layout.rows` gives for it."""
        ...


def even_cuts(total: int, rows: int) -> Iterator[tuple[int, int]]:
    """Cuts so many rows into parts of nearly the same length, none over one and a half times `rows`: (begin, end)."""
    parts = max(1, round(total / rows))
    for part in range(parts):
        yield total * part // parts, total * (part + 1) // parts
