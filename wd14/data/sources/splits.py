"""Splits of a dataset (train, validation, test): their names, their order, and which to read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wd14.errors import SplitNotFoundError
from wd14.text import printable

#: A split's name, and the words for it in names of files and folders, as `datasets` reads them.
_SPLIT_WORDS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF_WORD = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
_SHARD = re.compile(r"(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}")
_BETWEEN_WORDS = re.compile(r"[-._ 0-9]+")

#: Splits that a message names: a dataset may give each row one of its own.
_MOST_LISTED = 20


def split_of_folder(name: str) -> str | None:
    """The split that a folder of this name holds: `val` -> `validation`; None when it names none."""
    return _SPLIT_OF_WORD.get(name.lower())


def split_of_file(relative: str) -> str | None:
    """The split in a data file's path: `data/train-00000-of-00002.parquet`, `test.parquet`, `val/a.parquet`."""
    *folders, name = relative.split("/")
    shard = _SHARD.match(name)
    if shard:
        return _SPLIT_OF_WORD.get(shard["split"], shard["split"])
    words = [word for part in (name.rpartition(".")[0], *reversed(folders)) for word in _BETWEEN_WORDS.split(part)]
    return next((split for word in words if (split := split_of_folder(word))), None)


def without_split_words(folder: str) -> str:
    """A folder's name in which `datasets` sees no split: `10_test` -> `10_tests`."""
    words = re.split(f"({_BETWEEN_WORDS.pattern})", folder)
    return "".join(f"{word}s" if word in _SPLIT_OF_WORD else word for word in words)


def output_folder(split: str) -> str:
    """The folder of the output for a split: `datasets` knows train, validation and test, and no others by folder."""
    return split_of_folder(split) or "train"


def wants_all(wanted: str) -> bool:
    """Whether the parameter Split asks for every split."""
    return wanted.lower() == "all"


def choose_splits(available: Mapping[str, int | None], wanted: str) -> tuple[str, ...]:
    """The splits to read: the one of that name (`val` means `validation`), or all.

    Nothing wanted means train, or the first split where there is no train.

    Raises:
        SplitNotFoundError: there is none of that name.
    """
    names = tuple(available)
    if wants_all(wanted):
        return names
    name = wanted or "train"
    found = [name] if name in names else [each for each in names if _same(each) == _same(name)]
    if not found and wanted:
        listed = ", ".join(printable(each) for each in names[:_MOST_LISTED]) + (", …" if names[_MOST_LISTED:] else "")
        raise SplitNotFoundError(f"Split (split) is {wanted!r}; the source has: {listed} (or all)")
    return ((found or names)[0],)


def _same(split: str) -> str:
    """One spelling for all spellings of a split."""
    return split_of_folder(split) or split.lower()


def in_usual_order(splits: Mapping[str, int | None]) -> dict[str, int | None]:
    """Train, validation, test, then the others as they came."""
    return {**{name: splits[name] for name in _SPLIT_WORDS if name in splits}, **splits}
