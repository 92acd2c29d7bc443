"""Which files of a source hold its rows, and the source in shards of pieces."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from wd14.config import CaptionConfig
from wd14.data.layouts import OpenedLayout
from wd14.data.pieces import Kind, Piece
from wd14.data.sources.values import encodable
from wd14.data.sources.zip_files import ZipFiles
from wd14.places import FoundAt, Place


@dataclass(frozen=True)
class Listing:
    """Which files of a source count, and what they are.

    Attributes:
        place: the source; of a dataset of the hub its URL with the commit, `hf://datasets/owner/name@<commit>`.
        name: what a person calls it.
        kind: what its pieces are.
        columns: which columns are read, as JSON holds it; `open_shard` wants it back.
    """

    place: Place
    name: str
    kind: Kind
    columns: Mapping[str, Any] = field(default_factory=dict)

    def files(self) -> Iterator[FoundAt]:
        """Every file that holds rows, in the order of the rows. Memory does not grow with their number."""
        raise NotImplementedError

    def shards(self, config: CaptionConfig, rows: int) -> Iterator[tuple[Piece, ...]]:
        """The source in shards of about so many rows, in order. No picture is read.

        Raises:
            SourceError: a file cannot be read.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class LayoutListing(Listing):
    """A source that was looked over: on this machine, or on a disk that machines share.

    What it costs on two cores, for a million rows each: one tar, 20 s; pictures in folders, 5 s to look them over, 13 s
    for `files` and 25 s for `shards`; metadata.jsonl, 12 s; Parquet, under a second. None takes more than 40 MB.
    """

    opened: OpenedLayout = field(kw_only=True)

    @property
    def is_file(self) -> bool:
        """Whether the source is one file."""
        return not self.place.local.is_dir()

    def state(self, relative: str) -> tuple[int, str]:
        """The size and the stamp of a file; no stamp where there is none, or something else."""
        place = self.place.local
        return state_of(f"{place.parent if self.is_file else place}/{relative}")

    def files(self) -> Iterator[FoundAt]:
        archives = self.opened.confinement
        layout, splits = self.opened.layout, self.opened.splits
        for relative in archives.archives if isinstance(archives, ZipFiles) else layout.files(splits):
            yield FoundAt(encodable(relative), *self.state(relative))

    def shards(self, config: CaptionConfig, rows: int) -> Iterator[tuple[Piece, ...]]:  # noqa: ARG002
        return grouped(self._whole(rows) if self.kind == "rows" else self._stamped(self.cut(rows)), rows)

    def cut(self, rows: int) -> Iterator[Piece]:
        """The pieces, without what tells that their files have changed."""
        return self.opened.layout.cut(self.opened.splits, rows)

    def _stamped(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        is_file, state = self.is_file, lru_cache(maxsize=1)(self.state)
        for piece in pieces:
            size, stamp = state(piece.file)
            yield replace(piece, file="" if is_file else piece.file, size=size, stamp=stamp)

    def _whole(self, rows: int) -> Iterator[Piece]:
        size, stamp = state_of_all(self.files())
        total = self.opened.layout.row_count(self.opened.splits) or 0
        for begin in range(0, total, rows):
            end = min(total, begin + rows)
            yield Piece("", size, stamp, begin, end, end - begin)


def grouped(pieces: Iterable[Piece], rows: int) -> Iterator[tuple[Piece, ...]]:
    """Puts small pieces together into shards of about so many rows. One of unknown length is a shard by itself."""
    shard: list[Piece] = []
    total = 0
    for piece in pieces:
        limit = rows if 2 * total >= rows else rows + rows // 2
        if shard and (piece.rows is None or total + piece.rows > limit):
            yield tuple(shard)
            shard, total = [], 0
        shard.append(piece)
        total += piece.rows or 0
        if piece.rows is None:
            yield tuple(shard)
            shard = []
    if shard:
        yield tuple(shard)


def state_of(path: str) -> tuple[int, str]:
    """The size and the stamp of a file; no stamp where there is none, or something else."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path for each of a million pictures costs more than this
    except (OSError, ValueError):
        return 0, ""
    return (found.st_size, str(found.st_mtime_ns)) if stat.S_ISREG(found.st_mode) else (0, "")


def state_of_all(files: Iterable[FoundAt]) -> tuple[int, str]:
    """The size and the stamp of several files as one."""
    size, digest = 0, sha256()
    for file in files:
        size += file.size
        digest.update(f"{file.relative}\0{file.size}\0{file.stamp}\0".encode())
    return size, digest.hexdigest()
