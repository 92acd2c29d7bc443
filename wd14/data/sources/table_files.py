"""An open Parquet or Arrow file. One row at a time becomes Python values, and only when they fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

import numpy as np

from wd14.data.sources.arrow_messages import check_messages
from wd14.data.sources.base import MOST_INFLATION
from wd14.data.sources.parquet_pages import row_groups, unpacked_size
from wd14.data.sources.values import first_line
from wd14.errors import ImageTooLargeError, RowError, UnreadableImageError
from wd14.images.reading import MAX_BYTES
from wd14.regular_files import open_file

#: Rows that are decoded at once: pictures of a few MB each add up.
_ROWS_AT_ONCE = 16
#: Bytes that they may have, if each had all that its row group has: one value may be stored once for many rows.
_BYTES_AT_ONCE = 256 << 20
#: Bytes of an Arrow file that are read before it is mapped anew: what was read stays in memory while it is mapped.
_MAPPED_BYTES = 64 << 20
#: Bytes of a row's values as Python holds them: the largest picture, and as much text as anyone keeps beside it.
_LARGEST_ROW = MAX_BYTES + (64 << 20)
#: A column of fewer bytes cannot become a row that is too large, unless its type repeats values.
_SMALL = 1 << 20
#: Types of which any part may count many times.
_MAY_REPEAT = ("list_view", "large_list_view", "run_end_encoded")
#: About what a Python object takes, beside the bytes that it holds.
_OBJECT = 32

#: A row's values by their columns, or what is wrong with it.
Row = dict[str, Any] | RowError


@dataclass(frozen=True, slots=True)
class LostRows:
    """Rows in a part of a file that is not read."""

    count: int
    reason: str


class ParquetFile:
    """An open Parquet file."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        open_file(path).close()  # refuses what is no regular file; pyarrow opens it by its path
        self._path = path
        self._size = path.stat().st_size
        # With a buffer, and not by whole column chunks: a row group of a thousand pictures may have a gigabyte.
        self._file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        self.schema = self._file.schema_arrow
        self.row_count: int = self._file.metadata.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close(force=True)

    def group_ends(self) -> list[int]:
        """The number of rows up to the end of each row group, as the file claims."""
        metadata = self._file.metadata
        return list(accumulate(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)))

    def rows(self, columns: Sequence[str], begin: int = 0, end: int = -1) -> Iterator[Row | LostRows]:
        """The rows from `begin` up to `end` (-1 = all); a damaged row group loses its rows from the damage on.

        Row groups outside are not read; of the one that `begin` lies in, the rows before are.
        """
        with open_file(self._path) as file:
            groups = row_groups(file)
        places, start = self._places(columns), 0
        for group, described in enumerate(groups):
            size = self._file.metadata.row_group(group).num_rows
            first, last = max(0, begin - start), size if end < 0 else min(size, end - start)
            start += size
            if last > first or (begin == 0 and end < 0):  # a damaged file may claim that a row group has none
                yield from self._group_rows(group, described, columns, places, range(first, last))

    def _group_rows(
        self, group: int, described: Any, columns: Sequence[str], places: dict[int, bool], wanted: range
    ) -> Iterator[Row | LostRows]:
        import pyarrow as pa

        left, place = len(wanted), 0
        is_cut = wanted.stop < self._file.metadata.row_group(group).num_rows
        try:
            # The footer's own sizes need not be true, and asking pyarrow for those of a column may end the process.
            with open_file(self._path) as file:
                size = unpacked_size(file, described, places)
            if size > MOST_INFLATION * self._size + MAX_BYTES:
                yield LostRows(
                    left,
                    f"row group {group} would have {size:,} bytes unpacked,"
                    f" over {MOST_INFLATION} times the file's {self._size:,}",
                )
                return
            rows_at_once = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // max(1, size)))
            for batch in self._file.iter_batches(
                rows_at_once, row_groups=[group], columns=list(columns), use_threads=False
            ):
                skipped, place = max(0, wanted.start - place), place + batch.num_rows
                for row in _rows(batch.slice(skipped), columns):
                    left -= 1
                    yield row
                    if is_cut and left == 0:
                        return
        except (pa.ArrowException, OSError, ValueError) as error:
            yield LostRows(left, f"row group {group} is damaged: {first_line(error)}")

    def _places(self, columns: Sequence[str]) -> dict[int, bool]:
        """The numbers of what is read of some columns, and whether it may have many values in a row."""
        wanted, places = set(columns), {}
        for number in range(len(self._file.schema)):
            column = self._file.schema.column(number)
            parts = column.path.split(".")
            if any(".".join(parts[:end]) in wanted for end in range(1, len(parts) + 1)):
                places[number] = column.max_repetition_level > 0
        return places


class ArrowFile:
    """An open Arrow IPC file or stream, mapped: a record batch holds a hundred pictures or more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with open_file(path) as file:
            self._is_stream = file.read(6) != b"ARROW1"
        self._map()
        try:
            check_messages(self._file, is_stream=self._is_stream)
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

    def group_ends(self) -> list[int]:
        """The number of rows: a row is found without reading those before."""
        return [self.row_count]

    def rows(self, columns: Sequence[str], begin: int = 0, end: int = -1) -> Iterator[Row | LostRows]:
        """The rows from `begin` up to `end` (-1 = all); a damaged record batch loses its rows."""
        import pyarrow as pa

        done = begin
        last = self.row_count if end < 0 else min(end, self.row_count)
        try:
            while done < last:
                for row in self._mapped_rows(columns, range(done, last)):
                    done += row.count if isinstance(row, LostRows) else 1
                    yield row
                self._file.close()
                self._map()
        except (pa.ArrowException, OSError, ValueError) as error:
            yield LostRows(last - done, f"the rest is damaged: {first_line(error)}")

    def _mapped_rows(self, columns: Sequence[str], wanted: range) -> Iterator[Row | LostRows]:
        """Some rows, until _MAPPED_BYTES are read."""
        import pyarrow as pa

        seen, end, places = 0, 0, _places(self.schema)
        for number, batch in enumerate(self._record_batches()):
            begin, end = end, end + batch.num_rows
            first, last = max(begin, wanted.start), min(end, wanted.stop)
            if first >= last:
                continue
            try:
                chosen = batch.select([places[name] for name in columns])
                # Arrow trusts its files: with wrong offsets in one, it would read any memory, and crash.
                chosen.validate(full=True)
            except (pa.ArrowException, OSError, ValueError) as error:
                yield LostRows(last - first, f"record batch {number} is damaged: {first_line(error)}")
                continue
            for start in range(first - begin, last - begin, _ROWS_AT_ONCE):
                rows = chosen.slice(start, min(_ROWS_AT_ONCE, last - begin - start))
                seen += sum(map(_nbytes, rows.columns))
                yield from _rows(rows, columns)
                if seen > _MAPPED_BYTES:
                    return


def _places(schema: Any) -> dict[str, int]:
    """The first place of each column's name."""
    return {name: place for place, name in reversed(list(enumerate(schema.names)))}


def _rows(batch: Any, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a batch; of two columns of one name the first counts."""
    places = _places(batch.schema)
    cells = [(name, batch.column(places[name])) for name in columns]
    # Together, and not one by one: the columns of a file may lie on the same bytes of it.
    are_large = sum(_nbytes(column) for _, column in cells) > _LARGEST_ROW
    doubtful = [column for _, column in cells if are_large or _may_repeat(column)]
    for index in range(batch.num_rows):
        try:
            if sum(_size(column.slice(index, 1)) for column in doubtful) > _LARGEST_ROW:
                yield ImageTooLargeError(f"the row has over {_LARGEST_ROW:,} bytes")
                continue
            row: Row = {name: column[index].as_py() for name, column in cells}
        except MemoryError:
            row = ImageTooLargeError("there is not enough memory for the row")
        except Exception as error:  # noqa: BLE001 - a date or text that Python cannot hold fails its row, and no other
            row = UnreadableImageError(f"a value cannot be read: {type(error).__name__}: {first_line(error)}")
        yield row


def _may_repeat(column: Any) -> bool:
    """Whether a row of a column may have many times the column's bytes."""
    kind = str(column.type)
    if not any(word in kind for word in ("list", "map")):
        return False
    return _nbytes(column) > _SMALL or any(word in kind for word in ("dictionary", "run_end_encoded", "view", "null"))


def _size(array: Any) -> int:
    """About the bytes that an array's values take in Python; never much less."""
    import pyarrow as pa

    kind, objects = array.type, _OBJECT * len(array)
    if isinstance(kind, pa.BaseExtensionType):
        return _size(array.storage)
    if pa.types.is_dictionary(kind):
        return objects + _size_of_repeated(array)
    if str(kind).startswith(_MAY_REPEAT):  # any part of the buffers may count many times
        return objects + len(array) * int(array.get_total_buffer_size())
    if pa.types.is_struct(kind):
        return objects + sum(map(_size, array.flatten()))
    if pa.types.is_map(kind):  # without `flatten`
        start, end = array.offsets[0].as_py(), array.offsets[-1].as_py()
        return objects + sum(_size(part.slice(start, end - start)) for part in (array.keys, array.items))
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return objects + _size(array.flatten())
    return objects + _nbytes(array)


def _size_of_repeated(array: Any) -> int:
    """The bytes of a dictionary array's values, each counted as often as it appears."""
    appearing = array.indices.drop_null().value_counts()
    places, counts = (appearing.field(name).to_pylist() for name in ("values", "counts"))
    return sum(number * _nbytes(array.dictionary.slice(place, 1)) for place, number in zip(places, counts, strict=True))


def _nbytes(array: Any) -> int:
    """The bytes of an array's values, or more of views in lists.

    Polars writes text and bytes as views. The `nbytes` of these has their whole buffers, and pyarrow 19 refuses it.
    """
    import pyarrow as pa

    kind = array.type
    if "view" not in str(kind):
        return int(array.nbytes)
    if pa.types.is_binary_view(kind) or pa.types.is_string_view(kind):
        # A view has 16 bytes, and begins with the length of its value.
        lengths = np.frombuffer(array.buffers()[1], np.int32)[::4][array.offset : array.offset + len(array)]
        return 16 * len(array) + int(lengths[np.asarray(array.is_valid())].sum(dtype=np.int64))
    if pa.types.is_struct(kind):
        return sum(map(_nbytes, array.flatten()))
    return int(array.get_total_buffer_size())
