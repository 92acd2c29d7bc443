"""Values of a source: decoded from files, as JSON can hold them, as messages show them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from itertools import chain
from numbers import Real
from pathlib import Path
from typing import Any

from wd14.errors import SourceError, UnreadableImageError
from wd14.regular_files import read_file
from wd14.text import printable

#: Bytes of a JSON file that describes a dataset: a hundred thousand files are named in 10 MB.
_LARGEST_JSON_FILE = 16 << 20
#: Characters of the columns that are kept of a row, and as many for each value. JSON may need six for one.
_MOST_KEPT = 16 << 20
_VALUE = 8
#: Lists and objects in each other; readers and writers of JSON call themselves for each.
_MOST_LEVELS = 100


def decode_text(data: bytes) -> str:
    """The text of a file as people save it: UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def read_json_object(path: Path, read: Callable[[Path, int], bytes] = read_file) -> dict[str, Any]:
    """The object in a small JSON file.

    Args:
        path: the file.
        read: gives the bytes of a file of a limited size.

    Raises:
        SourceError: the file cannot be read, or holds something else.
    """
    try:
        value = json.loads(read(path, _LARGEST_JSON_FILE))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} cannot be read: {first_line(error)}") from error
    if not isinstance(value, dict):
        raise SourceError(f"{path}: expected a JSON object, got {type(value).__name__}")
    return value


def kept_values(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The values of some columns of a row, where it has them, as JSON can hold them.

    Raises:
        UnreadableImageError: they are too long together, or one has too many levels.
    """
    values = {name: row[name] for name in names if name in row}
    if _length(values, _MOST_KEPT) > _MOST_KEPT:
        raise UnreadableImageError(f"the columns that are kept have over {_MOST_KEPT:,} characters")
    return {name: as_json(value) for name, value in values.items()}


def _length(value: Any, most: int, levels: int = _MOST_LEVELS + 1) -> int:
    """About the characters of a value; counted up to `most`, and up to so many levels."""
    if isinstance(value, str):
        return _VALUE + len(value)
    length = _VALUE
    if isinstance(value, Mapping) and levels:
        value = chain.from_iterable(value.items())
    elif not isinstance(value, (list, tuple)) or levels == 0:
        return length
    for item in value:
        if length > most:
            break
        length += _length(item, most - length, levels - 1)
    return length


def as_json(value: Any, levels: int = _MOST_LEVELS) -> Any:
    """A value that JSON can hold: dates as ISO text, NaN and bytes as null, what JSON does not know as its text.

    Raises:
        UnreadableImageError: it has more levels of lists and objects in each other.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Real):  # NumPy's small floats too, which are no `float`
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (Mapping, list, tuple)) and levels == 0:
        raise UnreadableImageError(
            f"a column that is kept has more than {_MOST_LEVELS} levels of lists and objects in each other"
        )
    if isinstance(value, Mapping):
        return {encodable(str(key)): as_json(item, levels - 1) for key, item in value.items() if not _is_binary(item)}
    if isinstance(value, (list, tuple)):
        return [as_json(item, levels - 1) for item in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return None if _is_binary(value) else encodable(str(value))


def _is_binary(value: Any) -> bool:
    return isinstance(value, (bytes, bytearray, memoryview))


def encodable(text: str) -> str:
    """`text` with a `?` for each lone surrogate, which no UTF-8 file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def excerpt(text: str) -> str:
    """The beginning of a value, for a message."""
    return printable(text if len(text) <= 200 else f"{text[:200]}…")


def first_line(error: Exception) -> str:
    """The first line of a library's message, which may have many."""
    return printable(str(error).partition("\n")[0])
