r"""How people write lists, replacements and thresholds in one text field.

Tags may hold `;` and backslashes (`;d`, `\m/`), so only commas and line ends separate the items of a list, and a
backslash has a meaning only before a comma or an arrow.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wd14.config_words import shown

OFF = 2.0
"""A threshold that no score reaches: the category is left out."""

#: Characters.
_LONGEST_COLUMN_NAME = 100

_LINE_END = re.compile(r"\r\n|\r|\n")
_COMMA_OR_LINE_END = re.compile(r"(?<!\\),|\r\n|\r|\n")
_ARROW = re.compile(r"(?<!\\)->")


class TagThreshold(NamedTuple):
    """A person's threshold for a tag, or for all that match a wildcard."""

    tag: str  #: in any spelling
    value: float  #: 0..1, or `OFF`; where `is_relative`, what is added to the tag's usual one, -1..1
    is_relative: bool = False


def parse_list(value: Any) -> tuple[str, ...]:
    r"""The items of a list: a list of texts, text with commas or line ends between items, or the host's `"['a', 'b']"`.

    Spaces around an item do not count, empty items are left out, and `\,` is a comma inside an item.

    Raises:
        ValueError: the value is neither text nor a list of texts.
    """
    items = _items(value, "a list, or text separated by commas or line ends")
    if items is None:
        items = [item.replace("\\,", ",") for item in _COMMA_OR_LINE_END.split(value)]
    texts = (_text(item).strip() for item in items)
    return tuple(text for text in texts if text)


def parse_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    r"""Pairs (source, target) of lines `source -> target`; `\->` is an arrow inside a tag.

    A target may be empty. A list of lines or of pairs is taken too, typed or as the host's string; so is a mapping.

    Raises:
        ValueError: an entry has another form.
    """
    items = value.items() if isinstance(value, Mapping) else _items(value, "lines of 'source -> target'")
    if items is None:
        items = _LINE_END.split(value)
    return tuple(_pair(item) for item in items if not isinstance(item, str) or item.strip())


def _pair(item: Any) -> tuple[str, str]:
    if isinstance(item, str):
        sides = [side.replace("\\->", "->") for side in _ARROW.split(item)]
    elif isinstance(item, (list, tuple)):
        sides = [_text(side) for side in item]
    else:
        sides = []
    if len(sides) != 2 or not sides[0].strip():
        raise ValueError(
            f"expected 'source -> target', got {item!r}; write each replacement on a line of its own, since commas and"
            " semicolons do not separate them, and an arrow inside a tag as '\\->'"
        )
    return sides[0].strip(), sides[1].strip()


def parse_thresholds(value: Any) -> dict[str, float]:
    """Thresholds by category, `copyright=0.5, artist=0.4, meta=off`; `off` is above any score.

    Raises:
        ValueError: an entry is not `category=number`, or the number is not in 0..1.
    """
    if isinstance(value, str):
        typed = _literal(value, "{}")
        value = typed if isinstance(typed, dict) else re.split(r"[,;\r\n]", value)
    if isinstance(value, Mapping):
        entries = list(value.items())
    else:
        texts = map(str, _items(value, "'category=threshold, …'") or ())
        entries = [text.replace(":", "=", 1).partition("=")[::2] for text in texts if text.strip()]
    thresholds: dict[str, float] = {}
    for category, threshold in entries:
        name = str(category).strip().lower()
        if not name or threshold == "":
            got = f"{category}={threshold}"
            raise ValueError(f"expected 'category=threshold', such as general=0.4, got {got!r}")
        thresholds[name] = _threshold(threshold)
    return thresholds


def parse_tag_thresholds(text: str) -> list[TagThreshold]:
    r"""Thresholds by tag, `wet_hair=0.6, smile=+0.1, blurry=off`, separated by commas or line ends.

    The last `=` of an entry divides: `=_==0.5` is one for `=_=`. `\,` is a comma inside a tag.

    Raises:
        ValueError: an entry is not `tag=threshold`.
    """
    return [_entry(entry) for entry in parse_list(text)]


def _entry(text: str) -> TagThreshold:
    tag, _, threshold = text.rpartition("=")
    if not tag.strip() or not threshold.strip():
        raise ValueError(f"expected 'tag=threshold', such as wet_hair=0.6, or a CSV file, got {shown(text)}")
    return tag_threshold(tag.strip(), threshold)


def tag_threshold(tag: str, text: str) -> TagThreshold:
    """A tag's threshold as a person writes it: `0.6`, `+0.1`, `-0.05`, `off`.

    Raises:
        ValueError: it is none of them.
    """
    text = text.strip()
    if not text.startswith(("+", "-")):
        try:
            return TagThreshold(tag, _threshold(text))
        except ValueError as error:
            raise ValueError(f"{error} for {shown(tag)}, or what is added to its usual one, such as +0.1") from error
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not -1 <= number <= 1:
        raise ValueError(f"expected at most 1 to be added or taken away, such as +0.1, got {shown(text)} for {tag!r}")
    return TagThreshold(tag, number, is_relative=True)


def tag_thresholds_text(value: Any) -> Any:
    """Thresholds by tag as one line of text, from text, a mapping or a list, as a person or a host writes them.

    A CSV file's name stays as it is.

    Raises:
        ValueError: an entry is not `tag=threshold`.
    """
    if isinstance(value, str):
        if names_csv(value):
            return check_home(value)
        value = _literal(value, "{}") or value
    if isinstance(value, Mapping):
        value = [f"{tag}={threshold}" for tag, threshold in value.items()]
    entries = parse_list(value)
    for entry in entries:
        _entry(entry)
    return ", ".join(entry.replace(",", "\\,") for entry in entries)


def names_csv(text: str) -> bool:
    """Whether thresholds by tag are the name of a file that has them."""
    return text.lower().endswith(".csv") and not _LINE_END.search(text)


def _threshold(value: Any) -> float:
    if isinstance(value, str) and value.strip().lower() == "off":
        return OFF
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    # OFF itself comes from a config that was read before; typed by a person it is a mistake.
    if not 0 <= number <= 1 and (number != OFF or isinstance(value, str)):
        raise ValueError(f"expected a number from 0 to 1 or 'off', got {value!r}")
    return number


def _items(value: Any, expected: str) -> Iterable[Any] | None:
    """The items of a typed list, or of what `str(list)` wrote; None for any other text.

    Raises:
        ValueError: the value is neither text nor a list; `expected` says what it should be.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        typed = _literal(value, "[]")
        return typed if isinstance(typed, list) else None
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise ValueError(f"expected {expected}, got {value!r}")
    return value


def _literal(text: str, brackets: str) -> Any:
    """What `str(list)` or `str(dict)` wrote, or None for any other text: a tag may begin with a bracket."""
    text = text.strip()
    if not (text.startswith(brackets[0]) and text.endswith(brackets[1])):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\m" in a list typed by hand stays a backslash and an m
            return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _text(item: Any) -> str:
    """A tag's text. A whole number is one too: `2021`, in a list that was written without quotes."""
    if isinstance(item, str):
        return item
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    raise ValueError(f"expected a text, got {item!r}")


def unescape(value: Any) -> Any:
    r"""A one-line form field cannot hold a line end or a tab: `\\n` and `\\t` stand for them."""
    return value.replace("\\n", "\n").replace("\\t", "\t") if isinstance(value, str) else value


def check_column_name(value: str) -> str:
    """The name of a column of captions, as it is.

    Raises:
        ValueError: `datasets` would not take it for that.
    """
    # It reads columns that end in file_name as files.
    is_taken = value in ("image", "scores") or value.endswith(("file_name", "file_names"))
    if is_taken or not value.isprintable() or len(value) > _LONGEST_COLUMN_NAME:
        raise ValueError(f"expected the name of a column, such as caption or text, got {shown(value)}")
    return value


def without_empty(known: Container[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of known parameters. Hosts write "nothing" as `''`, `'None'` or null: that is the default."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            continue
        if isinstance(value, str) and key != "caption_separator":  # there spaces count
            value = value.strip()
        if value is not None and value not in ("", "None"):
            found[key] = value
    return found


def check_home(value: str) -> str:
    """A path as it is.

    Raises:
        ValueError: it begins with the home folder of nobody.
    """
    try:
        Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError(f"expected a path, got {shown(value)}: no such user") from error
    return value
