"""What every layout of a dataset offers, and the names of splits."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from wd14.errors import RowError, SplitNotFoundError
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


#: As `datasets` reads them: the name of a split, and the words that mean it in names of files and folders.
SPLIT_WORDS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF_WORD = {word: split for split, words in SPLIT_WORDS.items() for word in words}
_SHARDED = re.compile(r"(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}")
_WORD_BREAK = re.compile(r"[-._ 0-9]+")


def split_of_folder(name: str) -> str | None:
    """The split that a folder of this name holds: `val` -> `validation`; None when it names none."""
    return _SPLIT_OF_WORD.get(name.lower())


def split_of_file(relative: str) -> str | None:
    """The split in a data file's path: `data/train-00000-of-00002.parquet`, `test.parquet`, `val/a.parquet`."""
    *folders, name = relative.split("/")
    sharded = _SHARDED.match(name)
    if sharded:
        return _SPLIT_OF_WORD.get(sharded["split"], sharded["split"])
    words = [word for part in (name.rpartition(".")[0], *reversed(folders)) for word in _WORD_BREAK.split(part)]
    return next((split for word in words if (split := split_of_folder(word))), None)


def choose_splits(available: Mapping[str, int | None], asked: str) -> tuple[str, ...]:
    """The splits to read, in the order of `available`: the one asked for, all, or train, or else the first.

    Raises:
        SplitNotFoundError: there is none of that name.
    """
    names = tuple(available)
    if asked.lower() == "all":
        return names
    wanted = asked or "train"
    if wanted in names:
        return (wanted,)
    same = [name for name in names if _canonical(name) == _canonical(wanted)]
    if same:
        return (same[0],)
    if not asked:
        return names[:1]
    listed = ", ".join(printable(name) for name in names)
    raise SplitNotFoundError(f"Split (split) is {asked!r}; the source has: {listed} (or all)")


def _canonical(split: str) -> str:
    return split_of_folder(split) or split.lower()


def total_of(layout: Layout, splits: Collection[str]) -> int | None:
    """Number of rows that reading some splits gives, None when it is not known."""
    total = layout.loose_rows
    for split in splits:
        number = layout.splits[split]
        if number is None:
            return None
        total += number
    return total


def in_usual_order(splits: Mapping[str, int | None]) -> dict[str, int | None]:
    """Train, validation, test, then the others as they came."""
    first = {name: splits[name] for name in SPLIT_WORDS if name in splits}
    return {**first, **splits}
