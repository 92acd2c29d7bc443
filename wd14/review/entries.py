"""Entries of the page's log: an edit with what tells it from others, so that several pages can be put together."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wd14.errors import ConfigError
from wd14.text import printable

#: The keys of each operation beside `op` and `rows`, all of them texts.
KEYS: Mapping[str, tuple[str, ...]] = {
    "add": ("tag",),
    "remove": ("tag",),
    "replace": ("tag", "with"),
    "set": ("caption",),
    "reject": (),
}

#: Characters of the longest tag or caption, and rows of the longest list: far more than a dataset has.
LONGEST_TEXT = 100_000
MOST_ROWS = 2_000_000

_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: The largest whole number that JavaScript has.
_LARGEST = (1 << 53) - 1


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


def entry_from(value: Any, where: str) -> Entry:
    """The entry that a page sent, or that `edits.json` keeps among the undone ones.

    Raises:
        ConfigError: it is none; the message begins with `where`.
    """
    edit = edit_from(value, where)
    identity = value.get("id")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise _wrong(where, "id", "1 to 64 letters, digits, `-`, `_` or `.`", identity)
    numbers = {key: _whole_number(value.get(key), key, where) for key in ("at", "rev")}
    undone = value.get("undone")
    if not isinstance(undone, bool):
        raise _wrong(where, "undone", "true or false", undone)
    return Entry(identity, numbers["at"], edit, numbers["rev"], undone)


def edit_from(value: Any, where: str) -> dict[str, Any]:
    """An edit as `edits.json` has it, with the keys of its operation and no other.

    Raises:
        ConfigError: it is none; the message begins with `where`.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected an object, got {_shown(value)}")
    operation = value.get("op")
    if not isinstance(operation, str) or operation not in KEYS:
        raise _wrong(where, "op", f"one of {', '.join(KEYS)}", operation)
    edit: dict[str, Any] = {"op": operation}
    for key in KEYS[operation]:
        text = value.get(key)
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            raise _wrong(where, key, f"a text of at most {LONGEST_TEXT:,} characters", text)
        edit[key] = text
    rows = value.get("rows")
    if rows != "all" and not (isinstance(rows, list) and len(rows) <= MOST_ROWS and all(map(_is_sha, rows))):
        raise _wrong(where, "rows", '"all", or a list of sha256 in hex', rows)
    return edit | {"rows": rows}


def entries_in_file(content: Any, where: str) -> list[Entry]:
    """The log that `edits.json` holds: its edits, and those that were undone.

    Edits that no page made have no id and no time: they get one from what they say, and the time of their place.

    Raises:
        ConfigError: the file is not one of edits.
    """
    if not isinstance(content, Mapping) or content.get("version") != 1 or not isinstance(content.get("edits"), list):
        raise ConfigError(f'{where}: expected {{"version": 1, "edits": [...]}}')
    found: list[Entry] = []
    for number, value in enumerate(content["edits"]):
        at_place = f"{where}: edit {number + 1}"
        edit = edit_from(value, at_place)
        own = {"id": _id_of(edit, found), "at": found[-1].at + 1 if found else 0, "rev": 0}
        given = {key: value[key] for key in own if key in value}
        found.append(entry_from({**edit, **own, **given, "undone": False}, at_place))
    undone = content.get("undone", [])
    if not isinstance(undone, list):
        raise _wrong(where, "undone", "a list of edits", undone)
    found += [entry_from(value, f"{where}: undone edit {number + 1}") for number, value in enumerate(undone)]
    return found


def _id_of(edit: Mapping[str, Any], before: list[Entry]) -> str:
    """An id for an edit that has none: the same when the file is read again, also where others were added to it."""
    digest = hashlib.sha256(json.dumps(edit, sort_keys=True).encode()).hexdigest()[:24]
    return f"file-{digest}-{sum(entry.edit == edit for entry in before)}"


def _is_sha(value: Any) -> bool:
    return isinstance(value, str) and _SHA.fullmatch(value) is not None


def _whole_number(value: Any, key: str, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise _wrong(where, key, "a whole number from 0", value)
    return value


def _wrong(where: str, key: str, expected: str, got: Any) -> ConfigError:
    return ConfigError(f"{where}: {key}: expected {expected}, got {_shown(got)}")


def _shown(value: Any) -> str:
    if isinstance(value, list | Mapping):
        return "a list" if isinstance(value, list) else "an object"
    text = printable(repr(value))
    return text if len(text) <= 60 else f"{text[:57]}…"
