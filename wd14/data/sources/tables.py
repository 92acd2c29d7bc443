"""Parquet and Arrow files, alone or in folders, and what `Dataset.save_to_disk` writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from wd14.data.pieces import Piece
from wd14.data.sources.base import FILE_NAME, IMAGE_COLUMN, Column, Layout, RawRow, column_names, even_cuts
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import in_usual_order, split_of_file
from wd14.data.sources.table_files import ArrowFile, LostRows, ParquetFile
from wd14.data.sources.values import encodable, first_line, read_json_object
from wd14.data.sources.walk import METADATA_NAMES
from wd14.errors import DamagedImageError, RowError, SourceError
from wd14.text import printable


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of rows."""

    path: Path
    relative: str
    split: str

    @contextmanager
    def open(self) -> Iterator[ParquetFile | ArrowFile]:
        """The open file; an error inside the block is one of the file as a whole.

        Raises:
            SourceError: it cannot be read; the message names it.
        """
        import pyarrow as pa

        try:
            with ArrowFile(self.path) if self.path.suffix.lower() == ".arrow" else ParquetFile(self.path) as file:
                yield file
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SourceError(f"{printable(self.relative)} cannot be read: {first_line(error)}") from error


class Tables(Layout):
    """The rows of Parquet or Arrow files, in the order of their paths, read a few at a time.

    Args:
        files: at least one.
        file_names: whether a column `file_name` is the picture, where the files have no pictures of their own.

    Raises:
        SourceError: a file cannot be read; the message names it.
    """

    kind = "table"

    def __init__(self, files: Sequence[TableFile], *, file_names: bool = False) -> None:
        self._files = files
        self._file_names = file_names
        counts: dict[str, int | None] = {}
        columns: dict[str, Column] = {}
        for table_file in files:
            with table_file.open() as file:
                names = _names(table_file, file.schema, file_names=file_names)
                for field in file.schema:
                    if field.name in names:
                        columns.setdefault(names[field.name], _column(names[field.name], field.type))
                counts[table_file.split] = (counts.get(table_file.split) or 0) + file.row_count
        self.columns = tuple(columns.values())
        self.splits = in_usual_order(counts)

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows; only the columns asked for are read from disk."""
        for table_file in self._files:
            if table_file.split in splits:
                yield from _rows_of(table_file, columns, file_names=self._file_names)

    def files(self, splits: Collection[str]) -> Iterator[str]:
        """The tables."""
        return (table_file.relative for table_file in self._files if table_file.split in splits)

    def cut(self, splits: Collection[str], rows: int) -> Iterator[Piece]:
        """Tables, or parts of long ones: their footers are read and nothing else.

        Parts of Parquet files begin where a row group does, unless a row group has many more rows than wanted.
        """
        for table_file in self._files:
            if table_file.split in splits:
                with table_file.open() as file:
                    ends, size = file.group_ends(), table_file.path.stat().st_size
                if not _is_credible(ends, size):
                    yield Piece(table_file.relative, split=table_file.split)
                    continue
                for begin, end in _cuts(ends, rows):
                    last = -1 if end == ends[-1] else end
                    yield Piece(table_file.relative, begin=begin, end=last, rows=end - begin, split=table_file.split)


def _is_credible(ends: Sequence[int], size: int) -> bool:
    """Whether a file may have so many rows: a damaged one claims any number, and a row takes a byte at least."""
    return all(0 <= before <= end <= size for before, end in pairwise([0, *ends]))


def _cuts(ends: Sequence[int], rows: int) -> Iterator[tuple[int, int]]:
    """Parts of about so many rows, which end where row groups do unless these are long."""
    begin = 0
    for before, end in pairwise([0, *ends]):
        if begin < before and end - begin > rows:
            yield begin, before
            begin = before
        if end - begin > rows:  # one row group
            *parts, (first, _) = even_cuts(end - begin, rows)
            for part_begin, part_end in parts:
                yield begin + part_begin, begin + part_end
            begin += first
    if ends and begin < ends[-1]:
        yield begin, ends[-1]


class TableReader:
    """Reads pieces of Parquet and Arrow files.

    Args:
        root: the folder that they are in.
        file_names: see `Tables`.
    """

    def __init__(self, root: Path, *, file_names: bool) -> None:
        self._root = root
        self._file_names = file_names

    def rows(self, piece: Piece, columns: Collection[str]) -> Iterator[RawRow]:
        """The rows; of the file, what lies outside the piece is not read."""
        table_file = TableFile(self._root / piece.file, piece.file, piece.split or "train")
        file_names = self._file_names or table_file.path.name in METADATA_NAMES
        return _rows_of(table_file, columns, file_names=file_names, begin=piece.begin, end=piece.end)


def _rows_of(
    table_file: TableFile, columns: Collection[str], *, file_names: bool, begin: int = 0, end: int = -1
) -> Iterator[RawRow]:
    shown, folder, number = printable(table_file.relative), table_file.path.parent, begin
    # A damaged file may claim any number of rows. A row takes a byte at least.
    most_rows = table_file.path.stat().st_size
    with table_file.open() as file:
        names = _names(table_file, file.schema, file_names=file_names)
        for row in file.rows([key for key, name in names.items() if name in columns], begin, end):
            errors: list[RowError | None] = [None]
            values: dict[str, Any] = {}
            if isinstance(row, LostRows):
                lost = row.count if 0 < row.count <= most_rows else 1
                errors = [DamagedImageError(f"{shown}: {row.reason}")] * lost
            elif isinstance(row, RowError):
                errors = [row]
            else:
                values = {names[key]: value for key, value in row.items()}
            for error in errors:
                yield RawRow(
                    f"{shown} row {number}",
                    values,
                    error,
                    folder=folder,
                    may_be_absolute=True,
                    split=table_file.split,
                    key=encodable(f"{table_file.relative}#{number}"),
                )
                number += 1


def _names(table_file: TableFile, schema: Any, *, file_names: bool) -> dict[str, str]:
    """What the columns of a file are called here, by their name in it."""
    keys = list(dict.fromkeys(schema.names))
    is_metadata = file_names and table_file.path.name in METADATA_NAMES
    names = column_names(keys) if is_metadata else {key: key for key in keys}
    if file_names and FILE_NAME in names:
        if _has_pictures(schema, is_metadata=is_metadata):
            names[FILE_NAME] = FILE_NAME
        else:
            names.pop(IMAGE_COLUMN, None)
            names[FILE_NAME] = IMAGE_COLUMN
    return names


def _has_pictures(schema: Any, *, is_metadata: bool) -> bool:
    """Whether a table with a column `file_name` has its pictures in the column `image` all the same.

    In a metadata file, text in `image` is one more column: such a file names its pictures by `file_name`.
    """
    column = next((_column(field.name, field.type) for field in schema if field.name == IMAGE_COLUMN), None)
    return column is not None and column.can_hold_images and not (is_metadata and column.can_be_json)


def _column(name: str, kind: Any) -> Column:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_struct(kind):
        can_hold_images = any(field.name in ("bytes", "path") for field in kind)
    else:
        can_hold_images = str(kind).removeprefix("large_").startswith(("binary", "fixed_size_binary", "string"))
    return Column(name, str(kind), can_hold_images, can_be_json="binary" not in str(kind))


def table_folder(root: Path, relative: Sequence[str]) -> Tables:
    """The table files of a folder; a file's name or folder says its split, train where it does not."""
    return Tables(_table_files(root, relative))


def metadata_tables(root: Path, relative: Sequence[str]) -> Tables:
    """`metadata.parquet` files, whose `file_name` is the picture; also any table that is given by its own path."""
    return Tables(_table_files(root, relative), file_names=True)


def _table_files(root: Path, relative: Sequence[str]) -> list[TableFile]:
    return [TableFile(root / each, each, split_of_file(each) or "train") for each in relative]


def is_saved_dataset(folder: Path) -> bool:
    """Whether `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote a folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def saved_dataset(confinement: Confinement) -> Tables:
    """The rows of a folder that `save_to_disk` wrote.

    Raises:
        SourceError: its description or one of its files cannot be read.
    """
    description = confinement.root / "dataset_dict.json"
    if not description.is_file():
        return Tables(_saved_files(confinement, "", None))
    splits = read_json_object(description).get("splits")
    if not isinstance(splits, list) or not splits:
        raise SourceError(f"{description} names no splits")
    return Tables([file for split in splits for file in _saved_files(confinement, _plain_name(split), split)])


def _saved_files(confinement: Confinement, inner: str, split: str | None) -> list[TableFile]:
    folder = confinement.root / inner
    state = read_json_object(folder / "state.json")
    if state.get("_indices_data_files"):
        raise SourceError(f"{folder} was saved with indices: save it again with a current `datasets`")
    data_files = state.get("_data_files")
    if not isinstance(data_files, list) or not data_files:
        raise SourceError(f"{folder / 'state.json'} names no data files")
    split = split or state.get("_split")
    split = split if isinstance(split, str) and split else "train"
    files = []
    for data_file in data_files:
        name = _plain_name(data_file.get("filename") if isinstance(data_file, dict) else None)
        try:
            path = confinement.named_file(name, folder, may_be_absolute=False)
        except RowError as error:
            raise SourceError(f"{folder / name}: {error}") from error
        files.append(TableFile(path, f"{inner}/{name}" if inner else name, split))
    return files


def _plain_name(name: Any) -> str:
    """A name that cannot lead out of its folder."""
    if not isinstance(name, str) or not name or name in (".", "..") or set(name) & set("/\\\0"):
        raise SourceError(
            f"state.json or dataset_dict.json names {printable(repr(name))}, expected the plain name of a file there"
        )
    return name
