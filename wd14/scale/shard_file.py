"""The rows of a shard as a Parquet file, such that `datasets` loads it: written and read without an object a score.

The bytes depend on the rows and on pyarrow's version, and on nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wd14.data.sources.parquet_pages import row_groups, unpacked_size
from wd14.data.sources.values import encodable, first_line
from wd14.errors import ScaleError
from wd14.places import Place
from wd14.scale.hashed_file import HashedFile
from wd14.types import FloatArray, Labels

#: Rows of a row group: what is in memory at once, 3 MB with 200 scores a row.
_GROUP_ROWS = 1000
#: Bytes of scores, captions and kept columns, about, that end a row group early.
_GROUP_BYTES = 16 << 20
#: Bytes of a stored score, about: its tag's name, and the score.
_SCORE_BYTES = 20
#: Bytes that a row group may have when it is unpacked, see `_GROUP_BYTES`: one row may have more.
_LARGEST_GROUP = 1 << 30
#: The key of the file's metadata.
_KEY = b"wd14"

Indices = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class RowRecord:
    """A row of a shard."""

    id: str
    status: str
    sha256: str = ""  #: of the encoded picture, in hexadecimal digits; empty where it was not read
    size: int = 0  #: bytes of the encoded picture; 0 where it was not read
    width: int | None = None  #: in pixels
    height: int | None = None
    reason: str | None = None  #: why it failed
    caption: str | None = None
    tags: tuple[str, ...] | None = None  #: of the caption, as written; None = there is none
    scores: tuple[Indices, FloatArray] | None = None  #: positions of tags, ascending, and their scores
    sharpness: float | None = None
    thumbnail: bytes | None = None
    columns: str | None = None  #: JSON of the source's other columns
    existing: str | None = None  #: the caption that it came with

    def dense(self, tags: int) -> FloatArray:
        """All scores, (T,) float32; 0 where none is stored.

        Args:
            tags: how many the model has.
        """
        scores: FloatArray = np.zeros(tags, np.float32)
        if self.scores is not None:
            scores[self.scores[0]] = self.scores[1]
        return scores


def sparse(scores: FloatArray) -> tuple[Indices, FloatArray]:
    """The scores that are stored, from (T,) float32 as the engine gives them: zero where they are too low to count."""
    indices = np.flatnonzero(scores != 0).astype(np.int32)  # ten times as fast as of the numbers themselves
    return indices, scores[indices]


def stored_names(labels: Labels) -> tuple[str, ...]:
    """What the tags of a model are called in shards: their names, with a number behind those that come again."""
    seen: dict[str, int] = {}
    names = []
    for name in map(encodable, labels.names):
        seen[name] = number = seen.get(name, 0) + 1
        names.append(name if number == 1 else f"{name} ({number})")
    return tuple(names)


def schema(*, manifest: str, shard: int, with_columns: bool, with_existing: bool) -> Any:
    """The columns of a shard, as pyarrow has it.

    Args:
        manifest: the hash of the run's manifest.
        shard: the shard's number.
        with_columns: whether there are kept columns.
        with_existing: whether there are captions that pictures came with.
    """
    import pyarrow as pa

    fields = [
        ("id", pa.string()),
        ("sha256", pa.string()),
        ("size", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("caption", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("scores", pa.list_(pa.struct([("tag", pa.string()), ("score", pa.float32())]))),
        ("sharpness", pa.float32()),
        ("thumbnail", pa.binary()),
        *([("columns", pa.string())] if with_columns else []),
        *([("existing", pa.string())] if with_existing else []),
    ]
    return pa.schema(fields, metadata={_KEY: json.dumps({"manifest": manifest, "shard": shard})})


@dataclass
class _Group:
    """Rows that wait to be written."""

    rows: list[RowRecord] = field(default_factory=list)
    size: int = 0  #: bytes of what may be large in them


class ShardFileWriter:
    """Writes the rows of a shard; a context manager.

    Args:
        file: takes the bytes; it is not closed.
        names: of the model's tags, from `stored_names`.
        schema: from `schema`.

    Raises (in every method):
        OSError: the file cannot be written.
    """

    def __init__(self, file: HashedFile, names: Sequence[str], schema: Any) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._file = file
        self._names = pa.array(names, pa.string())
        self._schema = schema
        self._group = _Group()
        self._writer = pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            use_dictionary=["status", "reason", "tags.list.element", "scores.list.element.tag"],
            column_encoding={"scores.list.element.score": "BYTE_STREAM_SPLIT"},
            write_statistics=["id", "status"],
            use_compliant_nested_type=True,
            write_page_checksum=True,
        )

    def add(self, row: RowRecord) -> None:
        """Adds a row; most of the time it only waits for others."""
        group = self._group
        group.rows.append(row)
        group.size += len(row.caption or "") + len(row.columns or "") + len(row.existing or "")
        group.size += 0 if row.scores is None else _SCORE_BYTES * len(row.scores[0])
        if len(group.rows) >= _GROUP_ROWS or group.size >= _GROUP_BYTES:
            self._write()

    def close(self) -> None:
        """Writes what waits, and the end of the file."""
        if self._group.rows:
            self._write()
        self._writer.close()

    def abandon(self) -> None:
        """Lets go of a file that will not be complete; after `close` nothing happens."""
        if self._writer.is_open:
            self._group = _Group()
            self._file.ignore_more()  # pyarrow writes the end in any case, later if not now
            with suppress(OSError, ValueError, RuntimeError):
                self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa

        rows, self._group = self._group.rows, _Group()
        columns = [
            self._scores(rows)
            if column.name == "scores"
            else _column([getattr(row, column.name) for row in rows], column.type)
            for column in self._schema
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=len(rows))

    def _scores(self, rows: Sequence[RowRecord]) -> Any:
        """The column of scores, made of whole arrays."""
        import pyarrow as pa

        there = [row.scores for row in rows if row.scores is not None]
        indices = np.concatenate([each[0] for each in there] or [np.empty(0, np.int32)])
        values = np.concatenate([each[1] for each in there] or [np.empty(0, np.float32)])
        lengths = [0 if row.scores is None else len(row.scores[0]) for row in rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        has_none = [*(row.scores is None for row in rows), False]
        element = self._schema.field("scores").type.value_type
        pairs = pa.StructArray.from_arrays(
            [self._names.take(pa.array(indices)), pa.array(values, pa.float32())], fields=list(element)
        )
        # Where an offset is null, so is its list.
        return pa.ListArray.from_arrays(pa.array(offsets, mask=np.array(has_none)), pairs).cast(
            self._schema.field("scores").type
        )


def _column(values: list[Any], kind: Any) -> Any:
    """Values as a column; looked at one by one only where UTF-8 cannot hold one of them, which is rare."""
    import pyarrow as pa

    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array(list(map(_stored, values)), kind)


def _stored(value: Any) -> Any:
    """A value as UTF-8 can hold it."""
    if isinstance(value, str):
        return encodable(value)
    return [encodable(each) for each in value] if isinstance(value, tuple) else value


class ShardFile:
    """A shard that was written before; a context manager. Each iteration reads it, a row group at a time.

    Args:
        place: its file.
        labels: the tags of the model that made it.
        columns: those that are wanted, `id` and `status` among them or not; None = all. The others have their defaults.

    Attributes:
        manifest: hash of the manifest of the run that made it.
        shard: its number.
        rows: how many there are.

    Raises (here and while iterating):
        FileNotFoundError: it is not there.
        ScaleError: it is no shard, or damaged, or holds another model's tags.
    """

    def __init__(self, place: Place, labels: Labels, columns: Collection[str] | None = None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._place = place
        self._names = pa.array(stored_names(labels), pa.string())
        self._handle = place.open()
        try:
            self._file = pq.ParquetFile(self._handle, page_checksum_verification=True)
            known = json.loads((self._file.schema_arrow.metadata or {})[_KEY])
            self.manifest, self.shard = str(known["manifest"]), int(known["shard"])
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            self._handle.close()
            raise self._damaged(error) from error
        self.rows: int = self._file.metadata.num_rows
        there = self._file.schema_arrow.names
        wanted = RowRecord.__dataclass_fields__.keys() if columns is None else {"id", "status", *columns}
        self._columns = [name for name in there if name in wanted]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()
        self._handle.close()

    def __iter__(self) -> Iterator[RowRecord]:
        import pyarrow as pa

        try:
            for number, described in enumerate(row_groups(self._handle)):
                self._check_size(described)
                yield from self._records(self._file.read_row_group(number, self._columns, use_threads=False))
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(error) from error

    def _check_size(self, described: Any) -> None:
        """Refuses a row group that would not fit into memory, whatever its footer claims."""
        parquet = self._file.schema
        places = {
            number: parquet.column(number).max_repetition_level > 0
            for number in range(len(parquet))
            if parquet.column(number).path.partition(".")[0] in self._columns
        }
        if (size := unpacked_size(self._handle, described, places)) > _LARGEST_GROUP:
            raise ValueError(f"a row group has {size:,} bytes unpacked")

    def _records(self, table: Any) -> Iterator[RowRecord]:
        plain = [name for name in self._columns if name != "scores"]
        values = [table[name].to_pylist() for name in plain]
        scores = self._scores(table["scores"]) if "scores" in self._columns else [None] * len(table)
        for row, stored in zip(zip(*values, strict=True), scores, strict=True):
            record = dict(zip(plain, row, strict=True))
            if record.get("tags") is not None:
                record["tags"] = tuple(record["tags"])
            yield RowRecord(**record, scores=stored)

    def _scores(self, column: Any) -> list[tuple[Indices, FloatArray] | None]:
        import pyarrow.compute as pc

        column = column.combine_chunks()
        lengths = pc.list_value_length(column)
        tags, values = column.flatten().flatten()
        indices = pc.index_in(tags, value_set=self._names)
        if indices.null_count:
            raise ValueError(f"the model has no tag {tags.filter(indices.is_null())[0].as_py()!r}")
        ends = np.cumsum(lengths.fill_null(0).to_numpy(zero_copy_only=False))
        positions, numbers = indices.to_numpy(zero_copy_only=False), values.to_numpy(zero_copy_only=False)
        starts = ends - lengths.fill_null(0).to_numpy(zero_copy_only=False)
        return [
            (positions[start:end], numbers[start:end]) if there else None
            for start, end, there in zip(starts, ends, lengths.is_valid().to_pylist(), strict=True)
        ]

    def _damaged(self, error: Exception) -> ScaleError:
        return ScaleError(
            f"{self._place} is no shard of a run, or is damaged ({first_line(error)}): remove it, and run again"
        )


def read_shard(place: Place, labels: Labels, columns: Collection[str] | None = None) -> Iterator[RowRecord]:
    """The rows of a shard, see `ShardFile`."""
    with ShardFile(place, labels, columns) as file:
        yield from file
