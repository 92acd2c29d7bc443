"""CSV files that a parameter names: their text and their rows, with errors that name parameter, file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from wd14.errors import ConfigError
from wd14.regular_files import read_file


def read_csv_text(path: Path, largest: int, where: str) -> str:
    """The text of a file, UTF-8 with a byte order mark or without.

    Args:
        path: the file.
        largest: bytes that it may have.
        where: how messages name parameter and file.

    Raises:
        ConfigError: it cannot be read, or is no UTF-8.
    """
    try:
        return read_file(path, largest).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is not UTF-8 text") from error


def csv_rows(text: str, where: str, *, divider: str = ",") -> Iterator[tuple[str, list[str]]]:
    """The rows of a text, empty ones too, each with its place as messages name it.

    Args:
        text: of the file.
        where: how messages name parameter and file.
        divider: what stands between two columns.

    Raises:
        ConfigError: it is no CSV; the message names the line.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=divider, strict=True)
    try:
        for row in rows:
            yield f"{where}, line {rows.line_num}", row
    except csv.Error as error:
        raise ConfigError(f"{where}, line {rows.line_num}: {error}") from error
