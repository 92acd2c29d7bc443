"""JSON files for people: writing one, reading one that was edited, and saying where it is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from wd14.config_words import shown
from wd14.errors import ConfigError
from wd14.regular_files import read_file


def json_text(value: Mapping[str, Any]) -> bytes:
    """A small JSON file for people: indented, in UTF-8."""
    # A lone surrogate (from an argument that is not text), which UTF-8 cannot hold, becomes a question mark.
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def read_json_file(path: Path, largest: int, title: str) -> bytes:
    """The bytes of a JSON file that a parameter names.

    Args:
        path: the file.
        largest: bytes that it may have.
        title: how messages name the parameter.

    Raises:
        ConfigError: there is no such file, or it is too large.
    """
    try:
        return read_file(path, largest)
    except OSError as error:
        raise ConfigError(f"{title}: {path} cannot be read: {error.strerror or error}") from error


def parse_json(text: bytes, title: str, name: str, *, once: bool = False) -> object:
    """The value of a JSON text, with a byte order mark or without.

    Args:
        text: the text, in UTF-8.
        title: how messages name the parameter.
        name: the name that such a file has.
        once: refuse an object that has a key twice, of which JSON would take the last. Takes twice the time.

    Raises:
        ConfigError: it is no JSON; the message says where.
    """
    try:
        hook = _with_each_once if once else None
        return json.loads(text.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=hook)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{title}: line {error.lineno}, column {error.colno} is no JSON: {error.msg}."
            " Entries are separated by commas, and no comma follows the last one"
        ) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, NaN, a number of 5,000 digits, a thousand brackets
        raise ConfigError(f"{title}: expected JSON as {name} has it: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _with_each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{shown(next(key for key in keys if keys.count(key) > 1))} is there twice")
    return found
