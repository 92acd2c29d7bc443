r"""How people write lists, pairs and thresholds in one text field.

Tags may hold `;` and backslashes (`;d`, `\m/`), so a list is split at commas and line ends only, and a backslash
has a meaning only before the character that it protects.
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
    r"""Pairs (source, target) of lines `source -> target`; `\->` is an arrow inside a tag.

    A target may be empty, which removes the tag. A list of such lines or of pairs is taken too, typed or as the host's
    string.

    Raises:
        ValueError: an entry is not of this form.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        typed = _literal(value, "[]")
        value = typed if isinstance(typed, list) else _LINE_END.split(value)
    elif isinstance(value, Mapping):
        value = value.items()
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise ValueError(f"expected lines of 'source -> target', got {value!r}")
    return tuple(_pair(entry) for entry in value if not isinstance(entry, str) or entry.strip())


def _pair(entry: Any) -> tuple[str, str]:
    if isinstance(entry, str):
        sides = _ARROW.split(entry)
        if len(sides) != 2:
            raise ValueError(
                f"expected one 'source -> target' a line, got {entry.strip()!r}; commas and semicolons do not separate"
            )
        texts = [side.replace("\\->", "->").strip() for side in sides]
    elif isinstance(entry, Iterable) and not isinstance(entry, (bytes, Mapping)):
        texts = [_text(item).strip() for item in entry]
    else:
        texts = []
    if len(texts) != 2 or not texts[0]:
        raise ValueError(f"expected 'source -> target', got {entry!r}")
    return texts[0], texts[1]


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
    category, equals, number = str(item).replace(":", "=", 1).partition("=")
    if not equals or not category.strip():
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
