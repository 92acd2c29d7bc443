"""Fetches what is needed of files on a store into a folder of this machine, at their own paths and offsets.

A file that is fetched in part has holes: it is as long as the original, and takes only the room of what was fetched.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wd14.data.sources.parquet_pages import extent, row_groups
from wd14.data.sources.values import first_line
from wd14.errors import PlaceError, SourceChangedError, SourceError
from wd14.places import FoundAt, Place
from wd14.regular_files import open_file
from wd14.run_folder import RunFolder, clear_leftovers
from wd14.stop import StopToken
from wd14.text import printable
from wd14.threads import OrderedMap

#: Bytes of a request, and requests at once: what is in memory is at most three times their product.
_BLOCK = 16 << 20
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
    """A temporary folder with files of a source, or parts of them. It goes when it is closed, or when the process ends;
    that of a killed process goes when the next one is made.

    Args:
        place: the source.
        stop: ends the fetching.

    Raises (in every method that fetches):
        SourceChangedError: a file has gone or changed since it was listed.
        SourceError: it cannot be read, or there is no room for it.
        JobStoppedError: a stop was asked for.
    """

    def __init__(self, place: Place, stop: StopToken | None = None) -> None:
        self._place = place
        self._stop = stop or StopToken()
        parent = Path(tempfile.gettempdir())
        try:
            clear_leftovers(parent)
            self._folder = RunFolder(parent, "wd14-shard")
        except OSError as error:
            raise SourceError(f"no folder can be made in {parent}: {error.strerror or error} (see TMPDIR)") from error
        self.root = self._folder.path
        self.files: set[str] = set()  #: paths of those that are here, from the source
        self._lock = threading.Lock()

    def close(self) -> None:
        """Removes the folder."""
        self._folder.remove()

    def path(self, file: str) -> Path:
        """Where a file of the source is, or would be."""
        return self.root / file

    def check(self, file: str, size: int, stamp: str) -> None:
        """Sees that a file is still what it was when it was listed.

        Args:
            file: its path from the source.
            size: bytes.
            stamp: see `FoundAt`; empty = only the size counts.
        """
        found = self._facts(file)
        if found.size != size or (stamp and found.stamp != stamp):
            raise SourceChangedError(f"{printable(file)} has changed since the run was planned")

    def fetch(self, stretches: Sequence[Stretch], sizes: dict[str, int]) -> None:
        """Fetches stretches of files.

        Args:
            stretches: of these files; they may overlap.
            sizes: of the files, in bytes.
        """
        wanted = [each for each in stretches if each.end > each.begin]
        self._check_room(sum(each.end - each.begin for each in wanted))
        with self._writing():
            for file, size in sizes.items():
                self._lay_out(file, size)
            blocks = OrderedMap(
                self._block, _blocks(wanted), workers=_FETCHERS, window=2 * _FETCHERS, name="wd14-fetch"
            )
            try:
                for block, data in blocks:
                    self._stop.check()
                    self._put(block.file, block.begin, data)
            finally:
                blocks.close()

    def fetch_footers(self, files: Iterable[FoundAt], *, threads: int) -> None:
        """Fetches the footers of Parquet files, many at once."""
        footers = OrderedMap(self._footer, files, workers=threads, window=4 * threads, name="wd14-footer")
        try:
            for _ in footers:
                self._stop.check()
        finally:
            footers.close()

    def parquet_stretch(self, file: str, first: int, end: int) -> Stretch:
        """Where the row groups are that hold some rows of a Parquet file whose footer is here.

        Args:
            file: its path from the source.
            first: the first of the rows, from 0.
            end: the row after the last.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(file)
        try:
            with open_file(path) as opened:
                described = row_groups(opened)
                metadata = pq.ParquetFile(opened).metadata
                counts = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
            begin, end = extent([described[number] for number in _groups_with(counts, first, end)])
        except (pa.ArrowException, OSError, ValueError, IndexError) as error:
            raise SourceError(f"{printable(file)} cannot be read: {first_line(error)}") from error
        return Stretch(file, begin, min(end, path.stat().st_size))

    def _footer(self, found: FoundAt) -> None:
        """Fetches a footer; what is no Parquet file is fetched in part all the same, and refused when it is read."""
        tail = max(0, found.size - _USUAL_FOOTER)
        data = self._range(found.relative, tail, found.size)
        with self._writing():
            self._lay_out(found.relative, found.size)
            self._put(found.relative, tail, data)
            if len(data) < _MAGIC:
                return
            (length,) = struct.unpack_from("<I", data[-_MAGIC:])
            begin = found.size - _MAGIC - length
            if 0 <= begin < tail and length <= _LARGEST_FOOTER:
                self._put(found.relative, begin, self._range(found.relative, begin, tail))

    def _block(self, block: Stretch) -> tuple[Stretch, bytes]:
        self._stop.check()
        return block, self._range(block.file, block.begin, block.end)

    def _range(self, file: str, begin: int, end: int) -> bytes:
        if begin >= end:
            return b""
        try:
            data = (self._place / file if file else self._place).read_range(begin, end)
        except FileNotFoundError as error:
            raise _gone(file) from error
        except (PlaceError, OSError) as error:
            raise SourceError(f"{printable(file)} cannot be fetched: {error}") from error
        if len(data) != end - begin:
            raise SourceChangedError(f"{printable(file)} has become shorter since the run was planned")
        return data

    def _facts(self, file: str) -> FoundAt:
        try:
            return (self._place / file if file else self._place).facts()
        except FileNotFoundError as error:
            raise _gone(file) from error
        except PlaceError as error:
            raise SourceError(f"{printable(file)} cannot be fetched: {error}") from error

    def _lay_out(self, file: str, size: int) -> None:
        """An empty file of the right length."""
        if not 0 <= size <= _LARGEST_FILE:
            raise SourceError(f"{printable(file)} claims to have {size:,} bytes")
        path = self.path(file)
        if path.parent.resolve() != self.root.resolve() and not path.resolve().is_relative_to(self.root.resolve()):
            raise SourceError(f"{printable(file)} leads out of the source")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as opened:
            opened.truncate(size)
        with self._lock:
            self.files.add(file)

    def _put(self, file: str, begin: int, data: bytes) -> None:
        with self.path(file).open("r+b") as opened:
            opened.seek(begin)
            opened.write(data)

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.root).free
        if needed > free:
            raise SourceError(
                f"there is no room for a shard of the source in {self.root.parent}: {needed:,} bytes are needed,"
                f" {free:,} are free (TMPDIR=… chooses another folder; a smaller --shard-rows makes smaller shards)"
            )

    def _writing(self) -> _Writing:
        return _Writing(self.root.parent)


class _Writing:
    """Turns what goes wrong while files are written here into an error of the source."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, frames: object) -> None:
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise SourceError(f"the source cannot be put into {self._parent}: {reason} (see TMPDIR)") from error


def _gone(file: str) -> SourceChangedError:
    return SourceChangedError(f"{printable(file)} has gone since the run was planned")


def _blocks(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    for each in stretches:
        for begin in range(each.begin, each.end, _BLOCK):
            yield Stretch(each.file, begin, min(begin + _BLOCK, each.end))


def _groups_with(counts: Sequence[int], first: int, end: int) -> Iterator[int]:
    """The numbers of the row groups that hold some rows."""
    begin = 0
    for number, rows in enumerate(counts):
        if begin < end and begin + rows > first:
            yield number
        begin += rows
