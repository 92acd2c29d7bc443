"""Parquet and Arrow files, alone or in folders, and what `Dataset.save_to_disk` writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wd14.data.sources.base import IMAGE_COLUMN, Column, RawRow
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import in_usual_order, split_of_file
from wd14.errors import DamagedImageError, RowError, SourceError
from wd14.text import printable

#: Rows that are in memory at once: pictures of a few MB each must not add up.
_ROWS_AT_ONCE = 16
#: How much of an Arrow file is read before its mapping is renewed.
_MAPPED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of rows."""

    path: Path
    relative: str
    split: str


class Tables:
    """The rows of Parquet or Arrow files, in the order of their paths, read a few at a time.

    Args:
        files: at least one; all have the columns of the first.
        rename: names that columns go by here, where they differ.

    Raises:
        SourceError: a file cannot be read; the message names it.
    """

    loose_rows = 0

    def __init__(self, files: Sequence[TableFile], rename: Mapping[str, str] | None = None) -> None:
        self._files = files
        self._rename = dict(rename or {})
        counts: dict[str, int | None] = {}
        columns: dict[str, Column] = {}
        for file in files:
            with _named(file), _opened(file.path) as table:
                for field in table.schema:
                    name = self._rename.get(field.name, field.name)
                    columns.setdefault(name, _column(name, field.type))
                counts[file.split] = (counts.get(file.split) or 0) + table.row_count
        self.columns: Sequence[Column] = tuple(columns.values())
        self.splits: Mapping[str, int | None] = in_usual_order(counts)

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows, with only the asked columns read from disk."""
        for file in self._files:
            if file.split in splits:
                yield from self._file_rows(file, columns)

    def _file_rows(self, file: TableFile, columns: Collection[str]) -> Iterator[RawRow]:
        shown, folder, number = printable(file.relative), file.path.parent, 0
        size = file.path.stat().st_size
        with _named(file), _opened(file.path) as table:
            own = {field.name: self._rename.get(field.name, field.name) for field in table.schema}
            asked = [name for name, called in own.items() if called in columns]
            for rows in table.batches(asked):
                if isinstance(rows, _Lost):
                    # A damaged file may claim any number of rows; each has a byte at least, or is not worth a line.
                    for _ in range(rows.count if 0 < rows.count <= size else 1):
                        yield RawRow(f"{shown} row {number}", error=DamagedImageError(f"{shown}: {rows.reason}"))
                        number += 1
                    continue
                for row in rows:
                    values = {own[name]: value for name, value in row.items()}
                    yield RawRow(f"{shown} row {number}", values, folder=folder, may_be_absolute=True)
                    number += 1


@dataclass(frozen=True, slots=True)
class _Lost:
    """Rows that a damaged part of a file held."""

    count: int
    reason: str


def _opened(path: Path) -> _ParquetTable | _ArrowTable:
    return _ArrowTable(path) if path.suffix.lower() == ".arrow" else _ParquetTable(path)


@contextmanager
def _named(file: TableFile) -> Iterator[None]:
    """Makes a SourceError of what goes wrong with the file as a whole."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{printable(file.relative)} cannot be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0])


class _ParquetTable:
    """A Parquet file that is open."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        # A buffer instead of whole column chunks: a row group of a thousand pictures may be a gigabyte.
        self._file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        self.schema = self._file.schema_arrow
        self.row_count: int = self._file.metadata.num_rows

    def __enter__(self) -> _ParquetTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close(force=True)

    def batches(self, columns: list[str]) -> Iterator[list[dict[str, Any]] | _Lost]:
        """Rows by and by; a row group that is damaged loses its rows from there on, and the next goes on."""
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
                yield _Lost(left, f"row group {group} is damaged: {_first_line(error)}")


class _ArrowTable:
    """An Arrow IPC file or stream that is open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._is_stream = file.read(6) != b"ARROW1"
        self._map()
        try:
            self.schema = self._reader().schema
            self.row_count = 0
            for batch in self._all():
                batch.validate()
                self.row_count += batch.num_rows
        except BaseException:
            self._file.close()
            raise

    def _map(self) -> None:
        """Maps the file instead of reading it: a record batch holds a hundred pictures or more."""
        import pyarrow as pa

        self._file = pa.memory_map(str(self._path))

    def _reader(self) -> Any:
        import pyarrow as pa

        self._file.seek(0)
        return pa.ipc.open_stream(self._file) if self._is_stream else pa.ipc.open_file(self._file)

    def _all(self) -> Iterator[Any]:
        reader = self._reader()
        if self._is_stream:
            yield from reader
        else:
            yield from (reader.get_batch(number) for number in range(reader.num_record_batches))

    def __enter__(self) -> _ArrowTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def batches(self, columns: list[str]) -> Iterator[list[dict[str, Any]] | _Lost]:
        """Rows by and by."""
        import pyarrow as pa

        done = 0
        try:
            while done < self.row_count:
                for rows in self._some(columns, done):
                    done += len(rows)
                    yield rows
                # What was read stays in memory as long as the file is mapped.
                self._file.close()
                self._map()
        except (pa.ArrowException, OSError, ValueError) as error:
            yield _Lost(self.row_count - done, f"the rest is damaged: {_first_line(error)}")

    def _some(self, columns: list[str], first: int) -> Iterator[list[dict[str, Any]]]:
        """Rows from one on, until they come to _MAPPED_BYTES."""
        seen = 0
        for batch in self._all():
            chosen = batch.select(columns)
            # Arrow trusts its files: one with wrong offsets would make it read any memory, and crash.
            chosen.validate(full=True)
            for start in range(min(first, chosen.num_rows), chosen.num_rows, _ROWS_AT_ONCE):
                rows = chosen.slice(start, _ROWS_AT_ONCE)
                seen += rows.nbytes
                yield rows.to_pylist()
                if seen > _MAPPED_BYTES:
                    return
            first = max(0, first - chosen.num_rows)


def _column(name: str, kind: Any) -> Column:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    texts = (pa.types.is_string, pa.types.is_large_string)
    blobs = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    is_blob = any(is_kind(kind) for is_kind in blobs)
    fields = {field.name for field in kind} if pa.types.is_struct(kind) else set()
    is_image = is_blob or bool(fields & {"bytes", "path"}) or any(is_kind(kind) for is_kind in texts)
    return Column(name, str(kind), can_hold_images=is_image, can_be_json="binary" not in str(kind))


def table_files(root: Path, found: Sequence[str]) -> list[TableFile]:
    """The files of a folder, each with the split that its name or folder tells; train where none does."""
    return [TableFile(root / relative, relative, split_of_file(relative) or "train") for relative in found]


def metadata_tables(root: Path, found: Sequence[str]) -> Tables:
    """Pictures listed in `metadata.parquet` files."""
    files = table_files(root, found)
    return Tables(files, {"file_name": IMAGE_COLUMN})


def is_saved_dataset(folder: Path) -> bool:
    """Whether `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote a folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def saved_dataset(confinement: Confinement) -> Tables:
    """The rows of a folder that `save_to_disk` wrote.

    Raises:
        SourceError: its description or one of its files cannot be read.
    """
    folder = confinement.root
    if not (folder / "dataset_dict.json").is_file():
        return Tables(_saved_files(confinement, "", None))
    splits = _described(folder / "dataset_dict.json").get("splits")
    if not isinstance(splits, list) or not splits:
        raise SourceError(f"{folder / 'dataset_dict.json'} names no splits")
    return Tables([file for split in splits for file in _saved_files(confinement, _plain(split, folder), split)])


def _saved_files(confinement: Confinement, inner: str, split: str | None) -> list[TableFile]:
    root = confinement.root
    state = _described(root / inner / "state.json")
    if state.get("_indices_data_files"):
        raise SourceError(f"{root / inner} was saved with indices: save it again with a current `datasets`")
    listed = state.get("_data_files")
    if not isinstance(listed, list) or not listed:
        raise SourceError(f"{root / inner / 'state.json'} names no data files")
    split = split or state.get("_split")
    files = []
    for item in listed:
        name = _plain(item.get("filename") if isinstance(item, dict) else None, root / inner)
        relative = f"{inner}/{name}" if inner else name
        try:
            path = confinement.named_file(relative, root, may_be_absolute=False)
        except RowError as error:
            raise SourceError(f"{root / relative}: {error}") from error
        files.append(TableFile(path, relative, split if isinstance(split, str) and split else "train"))
    return files


def _described(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} cannot be read: {_first_line(error)}") from error
    if not isinstance(described, dict):
        raise SourceError(f"{path} does not hold an object")
    return described


def _plain(name: Any, folder: Path) -> str:
    """A name that leads nowhere but into its folder."""
    if not isinstance(name, str) or not name or name in (".", "..") or set(name) & set("/\\\0"):
        raise SourceError(f"{folder} names {printable(repr(name))}, expected the plain name of a file in it")
    return name
