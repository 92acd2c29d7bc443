"""A folder of pictures with metadata files, `metadata.jsonl` or `metadata.csv`, at the top or in subfolders."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Self, TextIO

from wd14.data.sources.base import FILE_NAME, IMAGE_COLUMN, MOST_COLUMNS, Column, Layout, RawRow, column_names
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import in_usual_order, split_of_folder
from wd14.data.sources.walk import walk
from wd14.errors import RowError, SourceError, UnreadableImageError
from wd14.text import count, printable
from wd14.types import Log

#: Bytes of a line; in CSV, characters of a line and of a row, which may have many.
_LONGEST_LINE = 16 << 20
#: How many times that is skipped to find a line's end. A file with a hole may have terabytes of one line.
_MOST_SKIPPED = 16
#: Columns that are known by name: enough to find the picture among them. Lines may name others without end.
_MOST_NAMES = 10 * MOST_COLUMNS

#: A line's values by their keys, or what is wrong with the line.
Line = dict[str, Any] | RowError


class MetadataFolder(Layout):
    """The rows of a folder's metadata files, in the order of the files' paths and of their lines.

    Columns are named as `datasets` names them: `file_name` becomes `image`, `mask_file_name` becomes `mask`. A row's
    split is its column `split`, or else the top-level folder that its file lies in. A line that cannot be read belongs
    to no split: it is a failed row of every run.

    Args:
        is_whole_folder: whether pictures that no metadata file lists are to be mentioned.

    Raises:
        SourceError: a metadata file cannot be read at all.
    """

    def __init__(
        self, confinement: Confinement, files: Sequence[str], log: Log, *, is_whole_folder: bool = True
    ) -> None:
        self.confinement = confinement
        self._files = [_MetadataFile(confinement, relative) for relative in _one_per_folder(files, log)]
        names: dict[str, None] = {}
        counts: Counter[str] = Counter()
        listed: set[str] = set()
        for file in self._files:
            for _, line in file.lines():
                if isinstance(line, RowError):
                    self.rows_of_no_split += 1
                    continue
                if not names.keys() >= line.keys():
                    more = (key for key in line if key not in names)
                    names.update(dict.fromkeys(list(islice(more, _MOST_NAMES - len(names)))))
                counts[file.split_of(line)] += 1
                if is_whole_folder:
                    listed.update(file.pictures_of(line))
        self._names = column_names(names)
        self.columns = tuple(Column(name) for name in dict.fromkeys(self._names.values()))
        self.splits = in_usual_order(dict(counts)) or {"train": 0}
        if is_whole_folder:
            _log_unlisted(confinement, listed, log)

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows, file by file and line by line."""
        for file in self._files:
            for number, line in file.lines():
                source = f"{printable(file.relative)} line {number}"
                if isinstance(line, RowError):
                    yield RawRow(source, error=line)
                elif (split := file.split_of(line)) in splits:
                    values = {self._names[key]: line[key] for key in line if self._names.get(key) in columns}
                    if FILE_NAME in line:  # even where there is also a column "image"
                        values[IMAGE_COLUMN] = line[FILE_NAME]
                    yield RawRow(
                        source,
                        values,
                        folder=file.path.parent,
                        split=split,
                        picture_folder=file.folder_of(values.get(IMAGE_COLUMN)),
                    )


def _one_per_folder(files: Sequence[str], log: Log) -> list[str]:
    """The metadata file of each folder: the .jsonl where there are several, else the .csv."""
    chosen: dict[str, str] = {}
    for relative in sorted(files, key=lambda file: (not file.endswith(".jsonl"), file)):
        folder = posixpath.dirname(relative)
        if folder in chosen:
            log(f"{printable(chosen[folder])} is read, {printable(relative)} is not: only one metadata file per folder")
        chosen.setdefault(folder, relative)
    return sorted(chosen.values())


def _log_unlisted(confinement: Confinement, listed: set[str], log: Log) -> None:
    number, first = 0, ""
    for found in walk(confinement):
        if found.is_row and found.relative not in listed:
            number += 1
            first = first or found.relative
    if number:
        log(
            f"Left out: {count(number, 'picture')} in the folder that no metadata file lists"
            f" (such as {printable(first)})"
        )


@dataclass(frozen=True, slots=True)
class _MetadataFile:
    confinement: Confinement
    relative: str

    @property
    def path(self) -> Path:
        return self.confinement.root / self.relative

    def lines(self) -> Iterator[tuple[int, Line]]:
        """Each line with its number, from 1.

        Raises:
            SourceError: the file cannot be read.
        """
        read = _csv_lines if self.relative.endswith(".csv") else _json_lines
        try:
            with self.confinement.open(self.path) as file:
                yield from read(file, printable(self.path.name))
        except OSError as error:
            raise SourceError(f"{printable(self.relative)} cannot be read: {error.strerror or error}") from error

    def split_of(self, line: dict[str, Any]) -> str:
        split = line.get("split")
        if isinstance(split, str) and split:
            return split
        top, slash, _ = self.relative.partition("/")
        return (split_of_folder(top) if slash else None) or "train"

    def folder_of(self, picture: Any) -> str:
        """The folder of a picture that a line names, relative to the dataset's; empty where it is not inside."""
        if not isinstance(picture, str):
            return ""
        if "/" not in picture and "\\" not in picture:  # nearly always, and this is done for every row
            return self.relative.rpartition("/")[0]
        folder = posixpath.dirname(self._from_the_top(picture))
        return "" if folder.startswith(("/", "..")) else folder

    def _from_the_top(self, name: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.relative), name.replace("\\", "/")))

    def pictures_of(self, line: dict[str, Any]) -> Iterator[str]:
        """The files that a line names, relative to the dataset's folder."""
        for key, value in line.items():
            if (key == IMAGE_COLUMN or key.endswith(FILE_NAME)) and isinstance(value, str):
                yield self._from_the_top(value)


def _json_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, Line]]:
    number = 0
    while text := file.readline(_LONGEST_LINE):
        number += 1
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")  # the byte order mark that some editors write
            _check_is_json_lines(text, name)
        if len(text) == _LONGEST_LINE and not text.endswith(b"\n"):
            is_over = _skip_line(file)
            yield number, _bad_line(number, "is longer than 16 MiB" + ("" if is_over else _NOT_READ))
            if not is_over:
                return
        elif text.strip():
            yield number, _parse_json_line(number, text)


def _skip_line(file: BinaryIO | TextIO) -> bool:
    """Goes to the next line; returns False where that is too far away."""
    for _ in range(_MOST_SKIPPED):
        rest = file.readline(_LONGEST_LINE)
        if len(rest) < _LONGEST_LINE or rest[-1:] in ("\n", b"\n"):
            return True
    return False


#: Ends the reason of a line after which nothing is read.
_NOT_READ = ", and does not end: what comes after it is not read"


def _check_is_json_lines(first_line: bytes, name: str) -> None:
    if first_line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{name} is UTF-16: save it as UTF-8")
    if first_line.lstrip().startswith(b"["):
        raise SourceError(f"{name} is one JSON list: expected JSON Lines, one object per line")


def _parse_json_line(number: int, text: bytes) -> Line:
    try:
        line = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError:
        return _bad_line(number, "is not UTF-8")
    except RecursionError:
        return _bad_line(number, "is nested too deeply")
    except ValueError as error:
        return _bad_line(number, f"is not JSON: {error}")
    if not isinstance(line, dict):
        return _bad_line(number, f"holds {type(line).__name__}, expected an object with file_name")
    return line


def _csv_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, Line]]:
    # Bytes that are not UTF-8 become surrogates, so that one bad line does not end the file.
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        delimiter = _delimiter(text, name)
        lines = _CsvLines(text)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header: list[str] = []
        while not lines.are_lost:
            lines.begin_row()
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield lines.number, _bad_line(lines.number, f"is not CSV: {error}")
                continue
            if fields is None:
                return
            if not any(fields):
                continue
            if header:
                yield lines.number, _parse_csv_line(lines.number, header, fields)
            else:
                header = [name.strip() for name in fields]


class _CsvLines:
    """The lines of a CSV file, for `csv.reader`."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._left = _LONGEST_LINE  # characters that the row may still have
        self.number = 0  #: of the last line
        self.are_lost = False  #: whether what comes now is not read

    def begin_row(self) -> None:
        """Says that a row begins with the next line."""
        self._left = _LONGEST_LINE

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        self._left -= len(line)
        is_cut = len(line) == _LONGEST_LINE and not line.endswith(("\n", "\r"))
        if self._left >= 0 and not is_cut:
            return line
        self.are_lost = is_cut and not _skip_line(self._file)
        raise csv.Error("it is longer than 16 MiB" + (_NOT_READ if self.are_lost else ""))


def _parse_csv_line(number: int, header: list[str], fields: list[str]) -> Line:
    if len(fields) > len(header):
        return _bad_line(number, f"has {len(fields)} fields, the header {len(header)}: text with commas needs quotes")
    if any("\udc80" <= character <= "\udcff" for text in fields if not text.isascii() for character in text):
        return _bad_line(number, "is not UTF-8")
    return dict(zip(header, fields, strict=False))


def _delimiter(file: TextIO, name: str) -> str:
    """What separates the header's fields: a comma, or the semicolon or tab of other spreadsheets."""
    header = file.readline(_LONGEST_LINE)
    file.seek(0)
    if header.startswith("\udcff\udcfe"):
        raise SourceError(f"{name} is UTF-16: save it as UTF-8")
    return max(",;\t", key=header.count)


def _bad_line(number: int, problem: str) -> RowError:
    return UnreadableImageError(f"line {number} {printable(problem)}")
