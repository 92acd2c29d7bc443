"""Parquet and Arrow files, alone or in folders, and what `Dataset.save_to_disk` writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from wd14.data.sources.base import IMAGE_COLUMN, Column, Layout, RawRow
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import in_usual_order, split_of_file
from wd14.data.sources.values import first_line, read_json_object
from wd14.errors import DamagedImageError, RowError, SourceError
from wd14.text import printable

#: Rows in memory at once: pictures of a few MB each add up.
_ROWS_AT_ONCE = 16
#: Bytes of an Arrow file that are read before it is mapped anew: what was read stays in memory while it is mapped.
_MAPPED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of rows."""

    path: Path
    relative: str
    split: str

    @contextmanager
    def open(self) -> Iterator[_ParquetFile | _ArrowFile]:
        """The open file; an error inside the block is one of the file as a whole.

        Raises:
            SourceError: it cannot be read; the message names it.
        """
        import pyarrow as pa

        try:
            with _ArrowFile(self.path) if self.path.suffix.lower() == ".arrow" else _ParquetFile(self.path) as file:
                yield file
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SourceError(f"{printable(self.relative)} cannot be read: {first_line(error)}") from error


class Tables(Layout):
    """The rows of Parquet or Arrow files, in the order of their paths, read a few at a time.

    Args:
        files: at least one.
        column_names: what columns are called here, where that differs from their name in the files.

    Raises:
        SourceError: a file cannot be read; the message names it.
    """

    def __init__(self, files: Sequence[TableFile], column_names: Mapping[str, str] | None = None) -> None:
        self._files = files
        self._column_names = dict(column_names or {})
        counts: dict[str, int | None] = {}
        columns: dict[str, Column] = {}
        for table_file in files:
            with table_file.open() as file:
                for field in file.schema:
                    name = self._column_names.get(field.name, field.name)
                    columns.setdefault(name, _column(name, field.type))
                counts[table_file.split] = (counts.get(table_file.split) or 0) + file.row_count
        self.columns = tuple(columns.values())
        self.splits = in_usual_order(counts)

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows; only the columns asked for are read from disk."""
        for table_file in self._files:
            if table_file.split in splits:
                yield from self._rows_of(table_file, columns)

    def _rows_of(self, table_file: TableFile, columns: Collection[str]) -> Iterator[RawRow]:
        shown, folder, number = printable(table_file.relative), table_file.path.parent, 0
        # A damaged file may claim any number of rows. A row takes a byte at least.
        most_rows = table_file.path.stat().st_size
        with table_file.open() as file:
            names = {field.name: self._column_names.get(field.name, field.name) for field in file.schema}
            for rows in file.batches([key for key, name in names.items() if name in columns]):
                if isinstance(rows, _LostRows):
                    error = DamagedImageError(f"{shown}: {rows.reason}")
                    for _ in range(rows.count if 0 < rows.count <= most_rows else 1):
                        yield RawRow(f"{shown} row {number}", error=error, split=table_file.split)
                        number += 1
                    continue
                for row in rows:
                    values = {names[key]: value for key, value in row.items()}
                    yield RawRow(
                        f"{shown} row {number}", values, folder=folder, may_be_absolute=True, split=table_file.split
                    )
                    number += 1


def _column(name: str, kind: Any) -> Column:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_struct(kind):
        can_hold_images = any(field.name in ("bytes", "path") for field in kind)
    else:
        can_hold_images = str(kind).removeprefix("large_").startswith(("binary", "fixed_size_binary", "string"))
    return Column(name, str(kind), can_hold_images, can_be_json="binary" not in str(kind))


@dataclass(frozen=True, slots=True)
class _LostRows:
    """Rows in a damaged part of a file."""

    count: int
    reason: str


class _ParquetFile:
    """An open Parquet file."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        # With a buffer, and not by whole column chunks: a row group of a thousand pictures may have a gigabyte.
        self._file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        self.schema = self._file.schema_arrow
        self.row_count: int = self._file.metadata.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close(force=True)

    def batches(self, columns: list[str]) -> Iterator[list[dict[str, Any]] | _LostRows]:
        """A few rows at a time; a damaged row group loses its rows from the damage on."""
        import pyarrow as pa

        for group in range(self._file.num_row_groups):
            left = self._file.metadata.row_group(group).num_rows
            try:
                for batch in self._file.iter_batches(
                    _ROWS_AT_ONCE, row_groups=[group], columns=columns, use_threads=False
                ):
                    rows = batch.to_pylist()
                    left -= len(rows)
                    yield rows
            except (pa.ArrowException, OSError, ValueError) as error:
                yield _LostRows(left, f"row group {group} is damaged: {first_line(error)}")


class _ArrowFile:
    """An open Arrow IPC file or stream, mapped: a record batch holds a hundred pictures or more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._is_stream = file.read(6) != b"ARROW1"
        self._map()
        try:
            self.schema = self._reader().schema
            self.row_count = 0
            for batch in self._record_batches():
                batch.validate()
                self.row_count += batch.num_rows
        except BaseException:
            self._file.close()
            raise

    def _map(self) -> None:
        import pyarrow as pa

        self._file = pa.memory_map(str(self._path))

    def _reader(self) -> Any:
        import pyarrow as pa

        self._file.seek(0)
        return pa.ipc.open_stream(self._file) if self._is_stream else pa.ipc.open_file(self._file)

    def _record_batches(self) -> Iterator[Any]:
        reader = self._reader()
        if self._is_stream:
            yield from reader
        else:
            yield from map(reader.get_batch, range(reader.num_record_batches))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def batches(self, columns: list[str]) -> Iterator[list[dict[str, Any]] | _LostRows]:
        """A few rows at a time; damage loses the rest of the file."""
        import pyarrow as pa

        done = 0
        try:
            while done < self.row_count:
                for rows in self._mapped_rows(columns, done):
                    done += len(rows)
                    yield rows
                self._file.close()
                self._map()
        except (pa.ArrowException, OSError, ValueError) as error:
            yield _LostRows(self.row_count - done, f"the rest is damaged: {first_line(error)}")

    def _mapped_rows(self, columns: list[str], first: int) -> Iterator[list[dict[str, Any]]]:
        """Rows from the one numbered `first` on, until _MAPPED_BYTES are read."""
        seen = 0
        for batch in self._record_batches():
            chosen = batch.select(columns)
            # Arrow trusts its files: with wrong offsets in one, it would read any memory, and crash.
            chosen.validate(full=True)
            for start in range(min(first, chosen.num_rows), chosen.num_rows, _ROWS_AT_ONCE):
                rows = chosen.slice(start, _ROWS_AT_ONCE)
                seen += rows.nbytes
                yield rows.to_pylist()
                if seen > _MAPPED_BYTES:
                    return
            first = max(0, first - chosen.num_rows)


def table_folder(root: Path, relative: Sequence[str]) -> Tables:
    """The table files of a folder; a file's name or folder says its split, train where it does not."""
    return Tables(_table_files(root, relative))


def metadata_tables(root: Path, relative: Sequence[str]) -> Tables:
    """`metadata.parquet` files, whose `file_name` is the picture; also any table that is given by its own path."""
    return Tables(_table_files(root, relative), {"file_name": IMAGE_COLUMN})


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
