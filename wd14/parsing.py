r"""How people write lists, pairs and thresholds in one text field.

Tags may hold `;` and backslashes (`;d`, `\m/`), so a list is split at commas and line ends only, and a backslash
means something only before the sign that it protects.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

OFF = 2.0
"""A threshold that no score reaches: the category is left out."""

_LINE_END = re.compile(r"\r\n|\r|\n")
#: A comma or a line end; no backslash protects the comma.
_LIST_BREAK = re.compile(r"(?<!\\),|\r\n|\r|\n")
_ARROW = re.compile(r"(?<!\\)->")
_COMMA = re.compile(r"(?<!\\),")
_SEMICOLON = re.compile(r"(?<!\\);")
_PROTECTED = re.compile(r"\\(,|;|->)")


def parse_list(value: Any) -> tuple[str, ...]:
    r"""Items of a list: typed, as text separated by commas or line ends, or as the host's `"['a', 'b']"`.

    Blanks around an item and empty items do not count; `\,` is a comma inside an item.

    Raises:
        ValueError: neither text nor a list of texts.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        typed = _literal(value, "[]")
        if not isinstance(typed, list):
            parts = (part.replace("\\,", ",").strip() for part in _LIST_BREAK.split(value))
            return tuple(part for part in parts if part)
        value = typed
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise ValueError(f"expected a list, or text separated by commas or line ends, got {value!r}")
    texts = (_text(item).strip() for item in value)
    return tuple(text for text in texts if text)


def _text(item: Any) -> str:
    """A tag's text: a whole number is one too, `2021`, where a list was written without quotes."""
    if isinstance(item, str):
        return item
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    raise ValueError(f"expected a text, got {item!r}")


def _literal(text: str, brackets: str) -> Any:
    """What `str(list)` or `str(dict)` wrote, or None when the text is not that: a tag may begin with a bracket."""
    text = text.strip()
    if not (text.startswith(brackets[0]) and text.endswith(brackets[1])):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\m" in a list typed by hand stays a backslash and an m
            return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def parse_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    r"""Pairs (source, target): `a -> b`, one a line or separated by `;`, or kohya's `a,b;c,d`.

    A `;` that opens a tag belongs to it (`;d -> wink`), any other one separates. `\,`, `\;` and `\->` stand for the
    signs themselves. A target may be empty, which removes the tag.

    Raises:
        ValueError: an entry has no source, or is not a pair.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        typed = _literal(value, "[]")
        if typed is None:
            typed = _literal(value, "{}")
        if not isinstance(typed, (list, dict)):
            return tuple(pair for line in _LINE_END.split(value) for pair in _pairs_of_line(line))
        value = typed
    if isinstance(value, Mapping):
        value = value.items()
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise ValueError(f"expected lines of 'source -> target', got {value!r}")
    return tuple(pair for entry in value for pair in _pairs_of_entry(entry))


def _pairs_of_entry(entry: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(entry, str):
        return _pairs_of_line(entry)
    if not isinstance(entry, Iterable) or isinstance(entry, (bytes, Mapping)):
        raise ValueError(f"expected a pair (source, target), got {entry!r}")
    texts = tuple(_text(item).strip() for item in entry)
    if len(texts) != 2 or not texts[0]:
        raise ValueError(f"expected a pair (source, target), got {entry!r}")
    return (texts,)


def _pairs_of_line(line: str) -> tuple[tuple[str, str], ...]:
    """The pairs of one line: `source -> target; source -> target` or `source,target;source,target`."""
    if not line.strip(" \t;"):
        return ()
    sign = _ARROW if _ARROW.search(line) else _COMMA
    # A `;` before a blank opens nothing: it separates, also where nothing is before it.
    line = re.sub(r"^\s*;\s+", "", line)
    line = re.sub(r"(?:(?<!\\);\s*)+$", "", line)
    first, *rest = sign.split(line)
    if not rest:
        raise ValueError(f"expected 'source -> target', got {line.strip()!r}")
    sides = [first]
    for piece in rest[:-1]:
        sides += _split_between(piece)
    sides.append(rest[-1])
    texts = [_side(side) for side in sides]
    pairs = tuple(zip(texts[::2], texts[1::2], strict=True))
    if not all(source for source, _ in pairs):
        raise ValueError(f"expected 'source -> target', got {line.strip()!r}: there is no source")
    return pairs


def _split_between(piece: str) -> tuple[str, str]:
    """What stands between two arrows: a target, `;`, and the next source; either may open with a `;` of its own."""
    places = [match.start() for match in _SEMICOLON.finditer(piece)]
    if not places:
        raise ValueError(f"expected ';' or a line end between two replacements, got {piece.strip()!r}")
    inside = [at for at in places if piece[:at].strip(" \t;") and piece[at + 1 :].strip()]
    at = inside[0] if inside else places[0]
    return piece[:at], piece[at + 1 :]


def _side(text: str) -> str:
    text = text.strip()
    if _SEMICOLON.search(text, 1):
        raise ValueError(f"expected one tag, got {text!r}; write '\\;' for a ';' inside a tag")
    return _PROTECTED.sub(r"\1", text).strip()


def parse_thresholds(value: Any) -> dict[str, float]:
    """Thresholds by category, `copyright=0.5, artist=0.4, meta=off`; `off` is above any score.

    Raises:
        ValueError: an entry is not `category=number`, or the number is not in 0..1.
    """
    if value is None:
        return {}
    if isinstance(value, str):
        typed = _literal(value, "{}")
        value = typed if isinstance(typed, dict) else re.split(r"[,;\r\n]", value)
    if isinstance(value, Mapping):
        entries = list(value.items())
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        entries = [_category_and_number(item) for item in value if str(item).strip()]
    else:
        raise ValueError(f"expected 'category=threshold, …', got {value!r}")
    thresholds = {}
    for category, number in entries:
        name = str(category).strip().lower()
        if not name:
            raise ValueError(f"expected 'category=threshold', got '={number}'")
        thresholds[name] = _threshold(number)
    return thresholds


def _category_and_number(item: Any) -> tuple[str, str]:
    category, sign, number = str(item).replace(":", "=", 1).partition("=")
    if not sign or not category.strip():
        raise ValueError(f"expected 'category=threshold', got {str(item).strip()!r}")
    return category, number


def _threshold(value: Any) -> float:
    if isinstance(value, str) and value.strip().lower() == "off":
        return OFF
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    typed_off = number == OFF and not isinstance(value, str)
    if not typed_off and not 0.0 <= number <= 1.0:
        raise ValueError(f"expected a number from 0 to 1 or 'off', got {value!r}")
    return number
