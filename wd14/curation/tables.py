"""Reads the tables of tags in `tables/`: families, passing states, negatives, sibling groups.

The CSV files are meant to be read and corrected by people: several tags a cell, separated by blanks, `#` for comments.
`families.csv` explains the rules `*_dress` and `holding_*`, `words.csv` the words behind `{colour}`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from wd14 import regular_files

_FOLDER = Path(__file__).parent / "tables"
#: They are our own; the limit only follows the rule that every file has one.
_LARGEST_TABLE = 1_000_000

#: What a row is: a trait never passes, a state does; a negative is what no caption should teach.
Kind = Literal["trait", "state", "negative", "other"]
_FILES: Mapping[Kind, str] = {
    "trait": "traits.csv",
    "state": "states.csv",
    "negative": "negatives.csv",
    "other": "families.csv",
}
#: The value of tags with which several siblings are right.
ANY_VALUE = "*"


@dataclass(frozen=True)
class Entry:
    """What the tables say of a tag."""

    family: str
    kind: Kind


@dataclass(frozen=True)
class Group:
    """Siblings: tags that exclude each other where their values differ."""

    name: str
    scope: Literal["person", "picture"]
    #: Values of each tag. Two tags exclude each other when they share none.
    values: dict[str, set[str]] = field(default_factory=dict)
    #: Tags with which several siblings are right: `heterochromia` among the eye colours.
    mixers: set[str] = field(default_factory=set)


class FamilyTable:
    """Families by name, by the words a tag begins with, by those it ends in: the first of these that knows it."""

    def __init__(self) -> None:
        self.names: dict[str, Entry] = {}
        self.beginnings: dict[str, Entry] = {}
        self.endings: dict[str, Entry] = {}
        words = _words()
        for kind, file in _FILES.items():
            for row in _rows(file):
                entry = Entry(row["family"], kind)
                for pattern in row["tags"].split():
                    for _, tag in _expanded(pattern, words):
                        self._add(tag, entry)

    def _add(self, tag: str, entry: Entry) -> None:
        if tag.startswith("*_"):
            self.endings[tag[2:]] = entry
        elif tag.endswith("_*"):
            self.beginnings[tag[:-2]] = entry
        else:
            self.names[tag] = entry

    def find(self, tag: str) -> Entry | None:
        """The entry of a tag in `folded` spelling; of several rules the longest."""
        if entry := self.names.get(tag):
            return entry
        words = tag.split("_")
        for end in range(len(words), 0, -1):
            if entry := self.beginnings.get("_".join(words[:end])):
                return entry
        for start in range(len(words)):
            if entry := self.endings.get("_".join(words[start:])):
                return entry
        return None


@cache
def family_table() -> FamilyTable:
    """The families, read once."""
    return FamilyTable()


@cache
def groups() -> dict[str, Group]:
    """The sibling groups by name, in the order of the file, read once."""
    words = _words()
    found: dict[str, Group] = {}
    for row in _rows("groups.csv"):
        scope: Literal["person", "picture"] = "person" if row["scope"] == "person" else "picture"
        group = found.setdefault(row["group"], Group(row["group"], scope))
        for pattern in row["tags"].split():
            for word_value, tag in _expanded(pattern, words):
                value = row["value"]
                if value == ANY_VALUE:
                    group.mixers.add(tag)
                elif value.startswith("{") and "{" in pattern:
                    group.values.setdefault(tag, set()).add(word_value)
                elif value.startswith("{"):  # beside {colour}_skin: a tag that is right with each of its values
                    group.values.setdefault(tag, set()).update(words[value[1:-1]].values())
                else:
                    group.values.setdefault(tag, set()).add(value)
    return found


@cache
def groups_by_tag() -> dict[str, tuple[str, ...]]:
    """Tag -> the groups that it is a sibling in."""
    found: dict[str, tuple[str, ...]] = {}
    for group in groups().values():
        for tag in group.values:
            found[tag] = (*found.get(tag, ()), group.name)
    return found


def _expanded(pattern: str, words: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """`{colour}_hair` -> ("blue", "light_blue_hair"), …: the word's value and the tag; other patterns as they are."""
    before, brace, rest = pattern.partition("{")
    if not brace:
        yield "", pattern
        return
    name, _, after = rest.partition("}")
    for word, value in words[name].items():
        yield value, f"{before}{word}{after}"


@cache
def _words() -> dict[str, dict[str, str]]:
    """List -> word -> value: {"colour": {"light_blue": "blue", …}, …}. A line's first word is the value of all."""
    found: dict[str, dict[str, str]] = {}
    for row in _rows("words.csv"):
        words = row["words"].split()
        found.setdefault(row["list"], {}).update(dict.fromkeys(words, words[0]))
    return found


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = regular_files.read_file(_FOLDER / name, _LARGEST_TABLE).decode("utf-8")
    yield from csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#"))
