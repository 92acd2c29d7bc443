"""A folder of pictures with metadata files, `metadata.jsonl` or `metadata.csv`, at the top or in folders of it."""

from __future__ import annotations

import csv
import json
import posixpath
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from wd14.data.sources.base import IMAGE_COLUMN, Column, RawRow
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import in_usual_order, split_of_folder
from wd14.data.sources.walk import Say, walk
from wd14.errors import RowError, SourceError, UnreadableImageError
from wd14.text import count, printable

_FILE_NAME = "file_name"
_LONGEST_LINE = 16 << 20  #: bytes; a longer line is no row

Row = dict[str, Any]


class MetadataFolder:
    """The rows of a folder's metadata files, in the order of the files' paths and of their lines.

    Columns are named as `datasets` names them: `file_name` becomes `image`, `mask_file_name` becomes `mask`. A
    `split` column, or else the top-level folder's name, says which split a row is of. A line that cannot be read is of
    no split: it fails in every run that reads any.

    Raises:
        SourceError: a metadata file cannot be read at all.
    """

    def __init__(self, confinement: Confinement, files: Sequence[str], say: Say, *, in_folder: bool = True) -> None:
        self._files = [_MetadataFile(confinement.root, relative) for relative in _one_a_folder(files, say)]
        self.loose_rows = 0
        names: dict[str, None] = {}
        counts: Counter[str] = Counter()
        listed: set[str] = set()
        for file in self._files:
            for _, row in file.rows():
                if isinstance(row, RowError):
                    self.loose_rows += 1
                    continue
                names.update(dict.fromkeys(row))
                counts[file.split_of(row)] += 1
                if in_folder:
                    listed.update(file.pictures_of(row))
        self.columns: Sequence[Column] = tuple(Column(name) for name in dict.fromkeys(map(_column_name, names)))
        self.splits: Mapping[str, int | None] = in_usual_order(dict(counts)) or {"train": 0}
        if in_folder:
            _say_unlisted(confinement, listed, say)

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows, file by file and line by line."""
        for file in self._files:
            for number, row in file.rows():
                where = f"{printable(file.relative)} line {number}"
                if isinstance(row, RowError):
                    yield RawRow(where, error=row)
                elif file.split_of(row) in splits:
                    yield _raw_row(where, row, columns, file.path.parent)


def _raw_row(where: str, row: Row, columns: Collection[str], folder: Path) -> RawRow:
    values = {_column_name(key): value for key, value in row.items() if _column_name(key) in columns}
    if _FILE_NAME in row:  # counts, also where there is a column "image" of its own
        values[IMAGE_COLUMN] = row[_FILE_NAME]
    return RawRow(where, values, folder=folder)


def _column_name(key: str) -> str:
    if key == _FILE_NAME:
        return IMAGE_COLUMN
    return key.removesuffix("_" + _FILE_NAME) or key


def _one_a_folder(files: Sequence[str], say: Say) -> list[str]:
    """The metadata file of each folder; where there are several, the .jsonl, else the .csv."""
    chosen: dict[str, str] = {}
    for relative in sorted(files, key=lambda file: (not file.endswith(".jsonl"), file)):
        folder = posixpath.dirname(relative)
        if folder in chosen:
            say(f"{printable(chosen[folder])} is read, {printable(relative)} is not: one metadata file a folder")
        chosen.setdefault(folder, relative)
    return sorted(chosen.values())


def _say_unlisted(confinement: Confinement, listed: set[str], say: Say) -> None:
    number, first = 0, ""
    for entry in walk(confinement):
        if entry.is_row and entry.relative not in listed:
            number += 1
            first = first or entry.relative
    if number:
        say(
            f"{count(number, 'picture')} in the folder (such as {printable(first)}) "
            f"{'is' if number == 1 else 'are'} in no metadata file: left out"
        )


@dataclass(frozen=True, slots=True)
class _MetadataFile:
    root: Path
    relative: str

    @property
    def path(self) -> Path:
        return self.root / self.relative

    def rows(self) -> Iterator[tuple[int, Row | RowError]]:
        """Each row with the number of its line, from 1; a line that is no row is an error.

        Raises:
            SourceError: the file cannot be read.
        """
        read = _csv_rows if self.relative.endswith(".csv") else _jsonl_rows
        try:
            yield from read(self.path)
        except OSError as error:
            raise SourceError(f"{printable(self.relative)} cannot be read: {error.strerror or error}") from error

    def split_of(self, row: Row) -> str:
        split = row.get("split")
        if isinstance(split, str) and split:
            return split
        top, slash, _ = self.relative.partition("/")
        return (split_of_folder(top) if slash else None) or "train"

    def pictures_of(self, row: Row) -> Iterator[str]:
        """The files that a row names, relative to the dataset's folder."""
        for key, value in row.items():
            if (key == IMAGE_COLUMN or _column_name(key) != key) and isinstance(value, str):
                yield posixpath.normpath(posixpath.join(posixpath.dirname(self.relative), value.replace("\\", "/")))


def _jsonl_rows(path: Path) -> Iterator[tuple[int, Row | RowError]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            if number == 1:
                line = _first_line(line, path)
            if len(line) >= _LONGEST_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield number, _bad_line(number, "is longer than 16 MiB")
            elif line.strip():
                yield number, _json_row(number, line)


def _first_line(line: bytes, path: Path) -> bytes:
    """The first line without the mark that some editors put before it.

    Raises:
        SourceError: the file is no JSON Lines at all.
    """
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{printable(path.name)} is UTF-16: save it as UTF-8")
    line = line.removeprefix(b"\xef\xbb\xbf")
    if line.lstrip().startswith(b"["):
        raise SourceError(f"{printable(path.name)} is one JSON list: expected one object a line, as in JSON Lines")
    return line


def _json_row(number: int, line: bytes) -> Row | RowError:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return _bad_line(number, "is not UTF-8")
    except RecursionError:
        return _bad_line(number, "is nested too deeply")
    except ValueError as error:
        return _bad_line(number, f"is no JSON: {error}")
    if not isinstance(row, dict):
        return _bad_line(number, f"holds {type(row).__name__}, expected an object with file_name")
    return row


def _csv_rows(path: Path) -> Iterator[tuple[int, Row | RowError]]:
    # Bytes that are no UTF-8 become surrogates, so that one bad row does not end the file.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=_delimiter(file), strict=True)
        header: list[str] | None = None
        while True:
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield reader.line_num, _bad_line(reader.line_num, f"is no CSV: {error}")
                continue
            if fields is None:
                return
            if not any(fields):
                continue
            if header is None:
                header = [name.strip() for name in fields]
                continue
            yield reader.line_num, _csv_row(reader.line_num, header, fields)


def _csv_row(number: int, header: list[str], fields: list[str]) -> Row | RowError:
    if len(fields) > len(header):
        return _bad_line(number, f"has {len(fields)} fields, the header {len(header)}: text with commas needs quotes")
    if any("\udc80" <= sign <= "\udcff" for text in fields if not text.isascii() for sign in text):
        return _bad_line(number, "is not UTF-8")
    return dict(zip(header, fields, strict=False))


def _delimiter(file: TextIO) -> str:
    """What separates the header's fields: a comma, or what spreadsheets of other countries write."""
    header = file.readline(_LONGEST_LINE)
    file.seek(0)
    if header.startswith("\udcff\udcfe"):
        raise SourceError("the metadata file is UTF-16: save it as UTF-8")
    return max(",;\t", key=header.count)


def _bad_line(number: int, problem: str) -> RowError:
    return UnreadableImageError(f"line {number} {printable(problem)}")
