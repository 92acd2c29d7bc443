"""A folder of pictures with metadata files, `metadata.jsonl` or `metadata.csv`, at the top or in subfolders."""

from __future__ import annotations

import posixpath
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.data.pieces import Piece
from wd14.data.sources.base import FILE_NAME, IMAGE_COLUMN, MOST_COLUMNS, Column, Layout, RawRow, column_names
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.metadata_lines import Line, PlacedLine, csv_lines, json_lines
from wd14.data.sources.splits import in_usual_order, split_of_folder
from wd14.data.sources.values import encodable
from wd14.data.sources.walk import walk
from wd14.errors import RowError, SourceError
from wd14.text import count, printable
from wd14.types import Log

#: Columns that are known by name: enough to find the picture among them. Lines may name others without end.
_MOST_NAMES = 10 * MOST_COLUMNS

#: All of a file.
_WHOLE = Piece("", first=1)


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

    kind = "metadata"

    def __init__(
        self, confinement: Confinement, files: Sequence[str], log: Log, *, is_whole_folder: bool = True
    ) -> None:
        self.confinement = confinement
        self._files = [_MetadataFile(confinement, relative) for relative in _one_per_folder(files, log)]
        names: dict[str, None] = {}
        counts: Counter[str] = Counter()
        listed = array("q")
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
                    listed.extend(map(hash, file.pictures_of(line)))
        self.names = column_names(names)
        self.columns = tuple(Column(name) for name in dict.fromkeys(self.names.values()))
        self.splits = in_usual_order(dict(counts)) or {"train": 0}
        if is_whole_folder:
            _log_unlisted(confinement, listed, log)

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows, file by file and line by line."""
        for file in self._files:
            yield from _rows_of(file, file.lines(), splits, columns, self.names)

    def files(self, splits: Collection[str]) -> Iterator[str]:  # noqa: ARG002
        """The metadata files."""
        return (file.relative for file in self._files)

    def cut(self, splits: Collection[str], rows: int) -> Iterator[Piece]:
        """The lines of each file, so many rows at a time."""
        split = "" if set(splits) >= self.splits.keys() else next(iter(splits))
        for file in self._files:
            begin, first, number = 0, 1, 0
            for line in file.placed_lines():
                if not isinstance(line.value, RowError) and file.split_of(line.value) not in splits:
                    continue
                if number >= rows and line.begin is not None:
                    yield Piece(file.relative, begin=begin, end=line.begin, rows=number, split=split, first=first)
                    begin, first, number = line.begin, line.first, 0
                number += 1
            if number:
                yield Piece(file.relative, begin=begin, rows=number, split=split, first=first)


class MetadataReader:
    """Reads pieces of metadata files.

    Args:
        confinement: the dataset's folder.
        names: what the columns are called, by their keys in the files.
    """

    def __init__(self, confinement: Confinement, names: Mapping[str, str]) -> None:
        self._confinement = confinement
        self._names = names

    def rows(self, piece: Piece, columns: Collection[str]) -> Iterator[RawRow]:
        """The rows of the lines."""
        file = _MetadataFile(self._confinement, piece.file)
        lines = file.lines(piece)
        return _rows_of(file, lines, [piece.split] if piece.split else None, columns, self._names)


def _rows_of(
    file: _MetadataFile,
    lines: Iterable[tuple[int, Line]],
    splits: Collection[str] | None,
    columns: Collection[str],
    names: Mapping[str, str],
) -> Iterator[RawRow]:
    shown, folder = printable(file.relative), file.path.parent
    for number, line in lines:
        source = f"{shown} line {number}"
        if isinstance(line, RowError):
            yield RawRow(source, error=line, key=encodable(f"{file.relative}#{number}"))
            continue
        split = file.split_of(line)
        if splits is None or split in splits:
            values = {names[key]: line[key] for key in line if names.get(key) in columns}
            if FILE_NAME in line:  # even where there is also a column "image"
                values[IMAGE_COLUMN] = line[FILE_NAME]
            picture_folder, picture = file.place_of(values.get(IMAGE_COLUMN))
            yield RawRow(
                source,
                values,
                folder=folder,
                split=split,
                picture_folder=picture_folder,
                key=encodable(picture or f"{file.relative}#{number}"),
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


def _log_unlisted(confinement: Confinement, listed: array[int], log: Log) -> None:
    """Says how many pictures there are that no line names.

    Args:
        confinement: the dataset's folder.
        listed: hashes of the paths that lines name: eight bytes each, where a set of paths would take two hundred.
        log: is told.
    """
    known = np.sort(np.frombuffer(listed, np.int64)) if listed else np.zeros(0, np.int64)
    number, first = 0, ""
    for found in walk(confinement):
        if found.is_row and not _holds(known, hash(found.relative)):
            number += 1
            first = first or found.relative
    if number:
        log(
            f"Left out: {count(number, 'picture')} in the folder that no metadata file lists"
            f" (such as {printable(first)})"
        )


def _holds(values: NDArray[np.int64], value: int) -> bool:
    """Whether sorted values hold one."""
    place = values.searchsorted(value)
    return bool(place < len(values) and values[place] == value)


@dataclass(frozen=True, slots=True)
class _MetadataFile:
    confinement: Confinement
    relative: str

    @property
    def path(self) -> Path:
        return self.confinement.root / self.relative

    def lines(self, piece: Piece = _WHOLE) -> Iterator[tuple[int, Line]]:
        """Each line with its number, from 1; those of a piece.

        Raises:
            SourceError: the file cannot be read.
        """
        return ((line.number, line.value) for line in self.placed_lines(piece))

    def placed_lines(self, piece: Piece = _WHOLE) -> Iterator[PlacedLine]:
        """Each line and where it is; as `lines`."""
        read = csv_lines if self.relative.endswith(".csv") else json_lines
        try:
            with self.confinement.open(self.path) as file:
                yield from read(file, printable(self.path.name), piece)
        except OSError as error:
            raise SourceError(f"{printable(self.relative)} cannot be read: {error.strerror or error}") from error

    def split_of(self, line: dict[str, Any]) -> str:
        split = line.get("split")
        if isinstance(split, str) and split:
            return split
        top, slash, _ = self.relative.partition("/")
        return (split_of_folder(top) if slash else None) or "train"

    def place_of(self, picture: Any) -> tuple[str, str]:
        """The folder and the path of a picture that a line names, from the dataset's; empty where it is not inside."""
        if not isinstance(picture, str):
            return "", ""
        if "/" not in picture and "\\" not in picture:  # nearly always, and this is done for every row
            folder, slash, _ = self.relative.rpartition("/")
            return folder, folder + slash + picture
        path = self._from_the_top(picture)
        return ("", "") if path.startswith(("/", "..")) else (posixpath.dirname(path), path)

    def _from_the_top(self, name: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.relative), name.replace("\\", "/")))

    def pictures_of(self, line: dict[str, Any]) -> Iterator[str]:
        """The files that a line names, relative to the dataset's folder."""
        for key, value in line.items():
            if (key == IMAGE_COLUMN or key.endswith(FILE_NAME)) and isinstance(value, str):
                yield self._from_the_top(value)
