"""The lines of metadata.jsonl and metadata.csv: whole files, or the lines of a piece."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, Self, TextIO

from wd14.data.pieces import Piece
from wd14.errors import RowError, SourceError, UnreadableImageError
from wd14.text import printable

#: Bytes of a line; in CSV, characters of a line and of a row, which may have many.
_LONGEST_LINE = 16 << 20
#: How many times that is skipped to find a line's end. A file with a hole may have terabytes of one line.
_MOST_SKIPPED = 16
_MARK = b"\xef\xbb\xbf"  #: the byte order mark that some editors write

#: A line's values by their keys, or what is wrong with the line.
Line = dict[str, Any] | RowError


class PlacedLine(NamedTuple):
    """A line and where it is; in CSV, a row, which may have several lines."""

    number: int  #: of its last line, from 1
    value: Line
    begin: int | None  #: the byte that it begins at; None where that is not known
    first: int  #: the number of its first line


def json_lines(file: BinaryIO, name: str, piece: Piece) -> Iterator[PlacedLine]:
    """The lines of JSON Lines.

    Args:
        file: the open file.
        name: of the file, for messages.
        piece: where to begin and to end.

    Raises:
        SourceError: it is no such file.
    """
    number, place = piece.first - 1, piece.begin
    file.seek(place)
    while (piece.end < 0 or place < piece.end) and (text := file.readline(_LONGEST_LINE)):
        number += 1
        begin, place = place, place + len(text)
        if number == 1:
            text = text.removeprefix(_MARK)
            _check_is_json_lines(text, name)
        if len(text) == _LONGEST_LINE and not text.endswith(b"\n"):
            is_over = _skip_line(file)
            place = file.tell()
            line = _bad_line(number, "is longer than 16 MiB" + ("" if is_over else _NOT_READ))
            yield PlacedLine(number, line, begin, number)
            if not is_over:
                return
        elif text.strip():
            yield PlacedLine(number, _parse_json_line(number, text), begin, number)


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


def csv_lines(file: BinaryIO, name: str, piece: Piece) -> Iterator[PlacedLine]:
    """The rows of CSV; the header is read from the file's beginning. As `json_lines`."""
    place = len(_MARK) if file.read(len(_MARK)) == _MARK else 0
    file.seek(0)
    # Bytes that are not UTF-8 become surrogates, so that one bad line does not end the file.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        delimiter = _delimiter(text, name)
        lines = _CsvLines(text, place)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header: list[str] = []
        while not lines.are_lost and not (0 <= piece.end <= (lines.place or 0)):
            begin, first = lines.place, lines.number + 1
            lines.begin_row()
            try:
                fields = next(reader, None)
            except csv.Error as error:
                if header or not piece.begin:
                    yield PlacedLine(lines.number, _bad_line(lines.number, f"is not CSV: {error}"), begin, first)
                continue
            if fields is None:
                return
            if not any(fields):
                continue
            if header:
                yield PlacedLine(lines.number, _parse_csv_line(lines.number, header, fields), begin, first)
                continue
            header = [column.strip() for column in fields]
            if piece.begin:
                file = text.detach()
                file.seek(piece.begin)
                text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
                lines.go_to(text, piece)
    finally:
        text.close()


class _CsvLines:
    """The lines of a CSV file, for `csv.reader`."""

    def __init__(self, file: TextIO, place: int) -> None:
        self._file = file
        self._left = _LONGEST_LINE  # characters that the row may still have
        self.number = 0  #: of the last line
        self.place: int | None = place  #: the byte that the next line begins at; None where it is not known
        self.are_lost = False  #: whether what comes now is not read

    def go_to(self, file: TextIO, piece: Piece) -> None:
        """Goes on with a file whose next line is the first of a piece."""
        self._file, self.number, self.place = file, piece.first - 1, piece.begin

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
        if self.place is not None:
            self.place += len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))
        is_cut = len(line) == _LONGEST_LINE and not line.endswith(("\n", "\r"))
        if self._left >= 0 and not is_cut:
            return line
        if is_cut:
            self.place = None
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
