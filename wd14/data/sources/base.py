"""What every layout of a dataset offers: its splits, its columns, its rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from wd14.errors import RowError
from wd14.text import printable

#: Column of the picture where a layout does not name it: pictures in folders, `file_name` in metadata, tar members.
IMAGE_COLUMN = "image"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its source declares it."""

    name: str
    type: str = ""  #: in the source's own words; empty where it declares none
    can_hold_images: bool = True
    can_be_json: bool = True  #: whether its values can be carried into a metadata file

    def __str__(self) -> str:
        return printable(f"{self.name} ({self.type})" if self.type else self.name)


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as its source has it, before anything is made of it.

    A `Path` among `values` is a file that was found inside the dataset; text is a path that is still to be judged; a
    `RowError` is what was wrong with that cell.
    """

    where: str  #: for a person: "sub/a.png", "metadata.jsonl line 3"
    values: Mapping[str, Any] = field(default_factory=dict)
    error: RowError | None = None  #: what is wrong with the row as a whole
    name: str = ""  #: base name of the picture, where the image cell does not tell it
    folder: Path | None = None  #: what relative paths in the row start from; None = the row may name no file
    may_be_absolute: bool = False  #: whether an absolute path into the dataset's own folder is allowed


class Layout(Protocol):
    """A dataset that was found and looked over; its rows are read on demand, as often as asked."""

    @property
    def splits(self) -> Mapping[str, int | None]:
        """Rows of each split, None where counting would mean reading; never empty."""
        ...

    @property
    def columns(self) -> Sequence[Column]:
        """The columns there are, that of the picture included."""
        ...

    @property
    def loose_rows(self) -> int:
        """Rows of no split, which come with whatever is read: lines of which nothing can be made out."""
        ...

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows of some splits in a stable order, with the values of some columns only.

        Whatever it opens is closed when it ends or is closed.
        """
        ...
