"""Splits of a dataset (train, validation, test): their names, the ones to read, how many rows they have."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from wd14.data.sources.base import Layout
from wd14.errors import SplitNotFoundError
from wd14.text import printable

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
