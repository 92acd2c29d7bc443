"""Entries of the page's log: an edit with what tells it from others, so that several pages can be put together."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wd14.config_words import shown
from wd14.errors import ConfigError
from wd14.review.edits import LARGEST_NUMBER, edits_in, parse_entry

#: What an edit says, without what tells it from others.
_EDIT_KEYS = ("op", "tag", "with", "caption", "keep", "rows")
_OWN_KEYS = ("id", "at", "rev")

_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """One edit in a log. All but `rev` and `undone` stays as it was made.

    Attributes:
        id: tells it from all others.
        at: when it was made, in ms; entries are replayed in the order of (at, id).
        edit: as `edits.json` has it: op, its keys, and rows (sha256 in hex, or "all").
        rev: is raised when `undone` changes; of two states of an entry the one with the higher number counts.
        undone: whether it counts no more.
    """

    id: str
    at: int
    edit: Mapping[str, Any]
    rev: int = 0
    undone: bool = False

    def newer(self, other: Entry) -> Entry:
        """The entry in the newer of two states of it."""
        return replace(self, rev=other.rev, undone=other.undone) if other.rev > self.rev else self

    def as_json(self) -> dict[str, Any]:
        """The entry as pages send it."""
        return {"id": self.id, "at": self.at, "rev": self.rev, "undone": self.undone, **self.edit}


def entry_from(value: Any, number: int) -> Entry:
    """The entry that a page sent, or that `edits.json` keeps among the undone ones.

    Raises:
        ConfigError: it is none; the message names it by its number.
    """
    return _entry(value, _edit_in(value, number), number)


def entries_in_file(content: Any, known: Mapping[str, Entry]) -> list[Entry]:
    """The log that `edits.json` holds: its edits, and those that were undone.

    Edits that no page made have no id and no time: they get one from what they say, and the time of their place. So
    does one with the id of another edit: a person copied its line, or changed it.

    Args:
        content: of the file.
        known: entries by their ids.

    Raises:
        ConfigError: the file is not one of edits.
    """
    edits = edits_in(content)
    undone = content.get("undone", [])
    if not isinstance(undone, list):
        raise ConfigError(f"undone: expected a list of edits, got {shown(undone)}")
    taken_back = {entry.id: entry for entry in (entry_from(value, number) for number, value in enumerate(undone, 1))}
    found: dict[str, Entry] = {}
    equal: Counter[str] = Counter()
    at = -1
    for number, value in enumerate(edits, 1):
        edit = _edit_in(value, number)
        identity = value.get("id")
        is_another = identity in known and known[identity].edit != edit
        while identity is None or identity in found or identity in taken_back or is_another:
            digest = hashlib.sha256(json.dumps(edit, sort_keys=True).encode()).hexdigest()[:24]
            identity = f"file-{digest}-{equal[digest]}"  # the same when the file is read again with more in it
            equal[digest] += 1
            is_another = False
        own = {"id": identity, "at": value.get("at", at + 1), "rev": value.get("rev", 0), "undone": False}
        found[identity] = _entry(own, edit, number)
        at = found[identity].at
    return [*found.values(), *taken_back.values()]


def _edit_in(value: Any, number: int) -> dict[str, Any]:
    """What an entry says, as `edits.json` has it; nothing that a replay would refuse."""
    if isinstance(value, Mapping):
        value = {key: value[key] for key in (*_EDIT_KEYS, *_OWN_KEYS) if key in value}
    rows = parse_entry(value, number).rows
    edit = {key: value[key] for key in _EDIT_KEYS if key in value}
    return {**edit, "rows": "all" if rows is None else [row.hex() for row in rows]}


def _entry(value: Mapping[str, Any], edit: Mapping[str, Any], number: int) -> Entry:
    identity, undone = value.get("id"), value.get("undone")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise _wrong(number, "id", "1 to 64 letters, digits, `-`, `_` or `.`", identity)
    if not isinstance(undone, bool):
        raise _wrong(number, "undone", "true or false", undone)
    at, rev = (_whole_number(value.get(key), key, number) for key in ("at", "rev"))
    return Entry(identity, at, edit, rev, undone)


def _whole_number(value: Any, key: str, number: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        raise _wrong(number, key, "a whole number from 0", value)
    return value


def _wrong(number: int, key: str, expected: str, got: Any) -> ConfigError:
    return ConfigError(f"entry {number:,}: {key}: expected {expected}, got {shown(got)}")
