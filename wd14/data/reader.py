"""Reads any image dataset as a stream of InputRows: `open_source` finds out its kind, `Source` gives its rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from wd14.config import CaptionConfig
from wd14.data.layouts import open_layout, row_maker
from wd14.data.sources.base import Layout, RawRow
from wd14.data.sources.input_rows import InputRowMaker
from wd14.data.sources.values import first_line
from wd14.errors import EmptySourceError, JobStoppedError, PlaceError, SourceError, UnreadableImageError
from wd14.threads import OrderedMap
from wd14.types import InputRow, Log

#: Bytes of pictures that are fetched ahead; one more for each that fetches.
_MOST_AHEAD = 256 << 20


class Source:
    """An open dataset; each iteration reads it from the start, a few rows at a time.

    Attributes:
        name: what the output's name is made from: the folder's, the file's without its extension, or the hub id's.
        total: number of rows, None where counting would mean reading.
        columns: names of the columns, the picture's included.
        splits: names of all splits, also of those that are not read.

    Raises (while iterating):
        SourceError: the source went away or broke on the way.
        EmptySourceError: there was no row.
    """

    def __init__(
        self,
        name: str,
        layout: Layout,
        splits: tuple[str, ...],
        maker: InputRowMaker,
        needed_columns: Collection[str],
        *,
        may_be_empty: bool = False,
        fetchers: int = 0,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.columns = tuple(column.name for column in layout.columns)
        self.splits = tuple(layout.splits)
        self.total = layout.row_count(splits)
        self._layout = layout
        self._splits = splits
        self._maker = maker
        self._needed_columns = needed_columns
        self._may_be_empty = may_be_empty
        self._fetchers = fetchers
        self._on_close = on_close
        self._closed = threading.Event()
        self._iterations: list[Generator[InputRow, None, None]] = []

    def __iter__(self) -> Iterator[InputRow]:
        rows = self._rows()
        self._iterations.append(rows)
        return rows

    def _rows(self) -> Generator[InputRow, None, None]:
        raws = self._raw_rows()
        is_empty = True
        with closing(self._made_ahead(raws) if self._fetchers else (self._make(raw) for raw in raws)) as rows:
            for row in rows:
                is_empty = False
                yield row
        if is_empty and not self._may_be_empty:
            raise EmptySourceError(f"{self.name} holds no row")

    def _raw_rows(self) -> Iterator[tuple[int, RawRow]]:
        for numbered in enumerate(self._layout.rows(self._splits, self._needed_columns)):
            if self._closed.is_set():
                return
            yield numbered

    def _made_ahead(self, raws: Iterable[tuple[int, RawRow]]) -> Generator[InputRow, None, None]:
        """The rows, their pictures fetched by threads."""
        rows = OrderedMap(
            self._make,
            raws,
            workers=self._fetchers,
            window=2 * self._fetchers,
            name="wd14-rows",
            weigh=_held,
            most_bytes=_MOST_AHEAD,
        )
        try:
            for row in rows:
                if self._closed.is_set():
                    return
                yield row
        finally:
            rows.close()

    def _make(self, numbered: tuple[int, RawRow]) -> InputRow:
        """The InputRow; whatever a row holds, it fails at most itself."""
        index, raw = numbered
        try:
            return self._maker.make(index, raw)
        except (SourceError, PlaceError, JobStoppedError):  # the source has gone, and the row is not to blame
            raise
        except MemoryError:
            problem = "there is not enough memory for it"
        except Exception as error:  # noqa: BLE001 - see above
            problem = f"{type(error).__name__}: {first_line(error)}"
        return InputRow(
            index,
            f"{index:06d}",
            raw.source,
            error=UnreadableImageError(f"the row cannot be read: {problem}"),
            key=raw.key,
        )

    def close(self) -> None:
        """Closes all files. An iteration in another thread ends at its next row."""
        self._closed.set()
        while self._iterations:
            rows = self._iterations.pop()
            with suppress(ValueError):  # another thread is inside it, and will see that the source is closed
                rows.close()
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(source: str | Path, config: CaptionConfig, *, log: Log | None = None) -> Source:
    """Finds out what a source is and looks it over; no picture is read yet.

    Args:
        source: a folder of pictures (with metadata files or without), of Parquet or Arrow files, of tar archives, or
            written by `save_to_disk`; such a file or one picture; a zip archive of a folder of pictures, or a folder of
            such archives; or a dataset id of the hub (`owner/name`, `owner/name@revision:configuration`).
        config: `image_field`, `split`, `keep_columns`, `append_tags`, `in_place`, `caption_extension`,
            `caption_separator`, `follow_symlinks` and `trainer` count.
        log: is told what is left out, and why.

    Raises:
        SourceNotFoundError: there is no such folder, file or hub dataset.
        EmptySourceError: it holds no picture.
        ColumnNotFoundError: it has no such column.
        SplitNotFoundError: it has no such split.
        SourceError: it cannot be read.
    """
    log = log or _ignore
    opened = open_layout(source, config, log=log)
    maker = row_maker(opened.name, config, opened.columns, opened.confinement, log)
    return Source(opened.name, opened.layout, opened.splits, maker, opened.columns.needed)


def _held(row: tuple[int, RawRow] | InputRow) -> int:
    """Bytes of the picture that a row holds."""
    return len(row.data or b"") if isinstance(row, InputRow) else 0


def _ignore(line: str) -> None:
    """Where no log is wanted."""
