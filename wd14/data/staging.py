"""Fetches what is needed of files on a store into a folder of this machine, at their own paths and offsets.

A file that is fetched in part has holes: it is as long as the original, and takes only the room of what was fetched.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wd14.data.sources.parquet_pages import extent, row_groups
from wd14.data.sources.values import first_line
from wd14.errors import PlaceError, SourceChangedError, SourceError
from wd14.places import FoundAt, Place
from wd14.regular_files import open_file
from wd14.run_folder import temporary_folder
from wd14.stop import StopToken
from wd14.text import printable
from wd14.threads import OrderedMap

#: Stretches that are fetched at once; each is fetched by several threads.
_FETCHERS = 4
#: Bytes at the end of a Parquet file that are fetched first: most footers are shorter.
_USUAL_FOOTER = 1 << 16
_LARGEST_FOOTER = 1 << 28
#: Bytes of a file; none is larger on S3.
_LARGEST_FILE = 5 << 40
_MAGIC = 8  # the footer's length, and "PAR1"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a file: from `begin` up to `end`."""

    file: str  #: path from the source
    begin: int
    end: int


class Stage:
    """A temporary folder with files of a source, or parts of them.

    It goes when it is closed, or when the process ends; that of a killed process goes when the next one is made.

    Args:
        place: the source's folder.
        stop: ends the fetching.

    Raises (in every method that fetches):
        SourceChangedError: a file has gone or changed since it was listed.
        SourceError: it cannot be read, or there is no room for it.
        JobStoppedError: a stop was asked for.
    """

    def __init__(self, place: Place, stop: StopToken | None = None) -> None:
        self._place = place
        self._stop = stop or StopToken()
        try:
            self._folder = temporary_folder()
        except OSError as error:
            where, reason = tempfile.gettempdir(), error.strerror or error
            raise SourceError(f"no folder can be made in {where}: {reason} (see TMPDIR)") from error
        self.root = self._folder.path
        self.files: set[str] = set()  #: paths of those that are here, from the source's folder
        self._lock = threading.Lock()

    def close(self) -> None:
        """Removes the folder."""
        self._folder.remove()

    def check(self, files: Iterable[FoundAt]) -> None:
        """Sees that files are still what they were when they were listed, by their sizes and stamps."""
        self._do(self._check, files, threads=_FETCHERS)

    def fetch(self, stretches: Sequence[Stretch], sizes: Mapping[str, int]) -> None:
        """Fetches stretches of files, several at once.

        Args:
            stretches: those that are wanted.
            sizes: of their files, in bytes.
        """
        self._check_room(sum(max(0, each.end - each.begin) for each in stretches))
        for file, size in sizes.items():
            self._lay_out(file, size)
        self._do(self._fetch, stretches, threads=_FETCHERS)

    def fetch_footers(self, files: Iterable[FoundAt], *, threads: int) -> None:
        """Fetches the footers of Parquet files, many at once: a request each, two where a footer is long."""
        self._do(self._fetch_footer, files, threads=threads)

    def _do(self, work: Callable[[Any], None], items: Iterable[Any], *, threads: int) -> None:
        fetched = OrderedMap(work, items, workers=threads, window=4 * threads, name="wd14-stage")
        try:
            for _ in fetched:
                self._stop.check()
        finally:
            fetched.close()

    def parquet_stretch(self, file: str, first: int, end: int) -> Stretch:
        """Where the row groups are that hold some rows of a Parquet file whose footer is here.

        Args:
            file: its path from the source's folder.
            first: the first of the rows, from 0.
            end: the row after the last; -1 = the file's end.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.root / file
        try:
            with open_file(path) as opened:
                described = row_groups(opened)
                metadata = pq.ParquetFile(opened).metadata
                counts = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
            begin, stop = extent([described[number] for number in _groups_with(counts, first, end)])
        except (pa.ArrowException, OSError, ValueError, IndexError) as error:
            raise SourceError(f"{printable(file)} cannot be read: {first_line(error)}") from error
        return Stretch(file, begin, min(stop, path.stat().st_size))

    def _check(self, expected: FoundAt) -> None:
        file = expected.relative
        try:
            found = (self._place / file).facts()
        except FileNotFoundError as error:
            raise _gone(file) from error
        except PlaceError as error:
            raise _unreadable(file, error) from error
        if found.size != expected.size or (expected.stamp and found.stamp != expected.stamp):
            raise SourceChangedError(
                f"{printable(file)} has changed since the source was listed: put it back, or begin a new run with"
                " another OUTPUT"
            )

    def _fetch(self, stretch: Stretch) -> None:
        file = stretch.file
        try:
            (self._place / file).download(self.root / file, stretch.begin, stretch.end, stop=self._stop)
        except FileNotFoundError as error:
            raise _gone(file) from error
        except PlaceError as error:
            raise _unreadable(file, error) from error

    def _fetch_footer(self, found: FoundAt) -> None:
        """Fetches a footer. What is no Parquet file is fetched in part all the same, and refused when it is read."""
        file, size = found.relative, found.size
        self._lay_out(file, size)
        tail = max(0, size - _USUAL_FOOTER)
        self._fetch(Stretch(file, tail, size))
        if size < _MAGIC:
            return
        with open_file(self.root / file) as opened:
            opened.seek(size - _MAGIC)
            (length,) = struct.unpack_from("<I", opened.read(4))
        begin = size - _MAGIC - length
        if 0 <= begin < tail and length <= _LARGEST_FOOTER:
            self._fetch(Stretch(file, begin, tail))

    def _lay_out(self, file: str, size: int) -> None:
        """An empty file of the right length."""
        if not 0 <= size <= _LARGEST_FILE or file.startswith("/") or ".." in file.split("/"):
            raise SourceError(f"{printable(file)} is no file of the source, or claims to have {size:,} bytes")
        path = self.root / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as opened:
                opened.truncate(size)
        except OSError as error:
            reason = error.strerror or error
            raise SourceError(
                f"{printable(file)} cannot be put into {self.root.parent}: {reason} (see TMPDIR)"
            ) from error
        with self._lock:
            self.files.add(file)

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.root).free
        if needed > free:
            raise SourceError(
                f"there is no room for a shard of the source in {self.root.parent}: {needed:,} bytes are needed,"
                f" {free:,} are free (TMPDIR=… chooses another folder; a smaller --shard-rows makes smaller shards)"
            )


def _gone(file: str) -> SourceChangedError:
    return SourceChangedError(
        f"{printable(file)} has gone since the source was listed: put it back, or begin a new run with another OUTPUT"
    )


def _unreadable(file: str, error: PlaceError) -> SourceError:
    return SourceError(f"{printable(file)} cannot be fetched: {error}")


def _groups_with(counts: Sequence[int], first: int, end: int) -> Iterator[int]:
    """The numbers of the row groups that hold some rows."""
    begin = 0
    for number, rows in enumerate(counts):
        if (begin < end or end < 0) and begin + rows > first:
            yield number
        begin += rows
