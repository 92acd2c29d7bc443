"""What `datasets` makes of the columns of `metadata.jsonl`, which it reads without being told their types.

It reads 10 MiB at a time, and pyarrow infers the type of each column from the values that it finds there. The first
part of every split must give the same types. What a later part holds is converted to them without a word: 1.5 to 1, and
text that was read as a date to the text of that date.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Bytes that `datasets` reads at a time, and then to the end of the line (3.6 to 5.2).
_PART = 10 << 20

#: Lists and objects in each other; Arrow refuses 64 levels of its own.
_DEEPEST = 32


def has_own_meaning(name: str) -> bool:
    """Whether `datasets` reads more into a name, of a column or of a field at any depth: a file, or a type (3.6)."""
    return name.endswith(("file_name", "file_names")) or name == "_type"


@dataclass(frozen=True, slots=True)
class ListOf:
    """The type of lists."""

    item: Type


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """The type of objects, with their fields sorted by name."""

    fields: tuple[tuple[str, Type], ...]


#: One of the names below, or a list or an object of types.
Type = str | ListOf | ObjectOf

NULL = "null"
BOOLEAN = "boolean"
INTEGER = "integer"  # up to 2^53: a float can hold it
LONG = "long"  # up to 64 bits
FLOAT = "float"
TEXT = "text"
DATE = "date"  #: text that pyarrow takes for a date, unless other text is in the same part
FAR_DATE = "far date"  #: a date that Python cannot hold, at which loading fails
MIXED = "mixed"  #: what does not load as it was written

_ALIKE = {
    frozenset({INTEGER, LONG}): LONG,
    frozenset({INTEGER, FLOAT}): FLOAT,
    frozenset({TEXT, DATE}): TEXT,
    frozenset({TEXT, FAR_DATE}): TEXT,
    frozenset({DATE, FAR_DATE}): FAR_DATE,
}


class LoadedTypes:
    """Follows the lines that are written, and tells which columns load as they were written."""

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}
        self._types: dict[str, Type] = {}  # over all parts that ended
        self._first: dict[str, Mapping[str, Type]] = {}  # of the first part of each split

    def add(self, split: str, types: Mapping[str, Type], size: int) -> None:
        """Takes a line: the type of each value, and the line's bytes."""
        part = self._parts.get(split)
        if part is None:
            part = self._parts[split] = _Part()
        known = part.types
        for name, new in types.items():
            old = known.get(name, NULL)
            # Nearly always it is the same: this is done for every value.
            known[name] = new if old is new else together(old, new)
        part.size += size
        if part.size > _PART:
            self._end(split)

    def end(self) -> None:
        """All lines were added."""
        for split in list(self._parts):
            self._end(split)

    def _end(self, split: str) -> None:
        types = self._parts.pop(split).types
        for name, new in types.items():
            self._types[name] = together(self._types.get(name, NULL), new, in_one_part=False)
        self._first.setdefault(split, types)

    def unloadable(self) -> list[str]:
        """Columns that do not load, or not as they were written."""
        return [name for name, found in self._types.items() if not self._loads(name, found)]

    def _loads(self, name: str, found: Type) -> bool:
        if found == MIXED or _holds(found, FAR_DATE):
            return False
        return all(first.get(name) == found for first in self._first.values())

    def dates(self) -> list[str]:
        """Columns with text that loads as dates."""
        return [name for name, found in self._types.items() if _holds(found, DATE)]


@dataclass(slots=True)
class _Part:
    """What is read at a time."""

    types: dict[str, Type] = field(default_factory=dict)
    size: int = 0  # bytes


def type_of(value: Any, depth: int = 0) -> Type:
    """The type of a value that JSON can hold."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, str):
        return type_of_text(value)
    if isinstance(value, int):
        if abs(value) <= 1 << 53:
            return INTEGER
        return LONG if -(1 << 63) <= value < 1 << 63 else MIXED
    if isinstance(value, float):
        return FLOAT if math.isfinite(value) else MIXED
    if depth == _DEEPEST:
        return MIXED
    if isinstance(value, Mapping):
        return _object_of([(name, type_of(item, depth + 1)) for name, item in sorted(value.items())])
    item: Type = NULL
    for each in value:
        if each is None:  # pyarrow 19 loses such items or ends the process, 26 makes them 0
            return MIXED
        item = together(item, type_of(each, depth + 1))
    return _list_of(item)


def _list_of(item: Type) -> Type:
    return MIXED if item == MIXED else ListOf(item)


def _object_of(fields: list[tuple[str, Type]]) -> Type:
    # Arrow's names end at a NUL.
    if any(kind == MIXED or has_own_meaning(name) or "\0" in name for name, kind in fields):
        return MIXED
    return ObjectOf(tuple(fields))


def together(one: Type, other: Type, *, in_one_part: bool = True) -> Type:
    """The type of a column that has values of two types, read at once or in different parts."""
    if one == other or other == NULL:
        return one
    if one == NULL:
        return other
    if isinstance(one, ListOf) and isinstance(other, ListOf):
        return _list_of(together(one.item, other.item, in_one_part=in_one_part))
    if isinstance(one, ObjectOf) and isinstance(other, ObjectOf):
        pairs = list(zip(one.fields, other.fields, strict=False))
        # Fields that only some objects have would be null in the others.
        if len(one.fields) != len(other.fields) or any(a[0] != b[0] for a, b in pairs):
            return MIXED
        return _object_of([(a[0], together(a[1], b[1], in_one_part=in_one_part)) for a, b in pairs])
    if not (isinstance(one, str) and isinstance(other, str)):
        return MIXED
    if not in_one_part and {DATE, FAR_DATE} & {one, other}:
        return MIXED
    return _ALIKE.get(frozenset({one, other}), MIXED)


def _holds(found: Type, kind: str) -> bool:
    if isinstance(found, ListOf):
        return _holds(found.item, kind)
    if isinstance(found, ObjectOf):
        return any(_holds(each, kind) for _, each in found.fields)
    return found == kind


#: The dates that pyarrow knows: to the day, hour, minute or second.
_HOUR, _MINUTE = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    rf"(?:[ T]{_HOUR}(?::{_MINUTE}(?::{_MINUTE})?)?(?:Z|[+-]{_HOUR}(?::?{_MINUTE})?)?)?"
)


def type_of_text(text: str) -> str:
    """Whether text can be taken for a date."""
    found = _DATE.fullmatch(text)
    if found is None:
        return TEXT
    year, month, day = map(int, found.groups())
    if not (1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return TEXT
    # In these years a time zone can lead to where Python has no dates.
    return DATE if 1 < year < 9999 else FAR_DATE
