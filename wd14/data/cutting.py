"""Lists a source, cuts it into shards of pieces, and reads the rows of one shard."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.data.pieces import Kind, Piece
from wd14.data.reader import OpenedLayout, Source, confinement_of, name_of, open_layout, row_maker
from wd14.data.sources.base import Layout, PieceReader, RawRow
from wd14.data.sources.chosen_columns import ChosenColumns
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.huggingface import HubId
from wd14.data.sources.image_folder import PictureReader
from wd14.data.sources.metadata import MetadataReader
from wd14.data.sources.tables import TableReader
from wd14.data.sources.values import encodable
from wd14.data.sources.webdataset import TarReader
from wd14.data.sources.zip_files import ZipFiles
from wd14.errors import SourceChangedError, SourceError
from wd14.places import FoundAt, Place
from wd14.regular_files import mode_of
from wd14.stop import StopToken
from wd14.text import printable
from wd14.types import Log


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


def list_source(source: str, config: CaptionConfig, *, log: Log) -> Listing:
    """Looks a source over: a path, a URL, or a dataset's id on the hub.

    Raises:
        SourceNotFoundError: it is not there.
        EmptySourceError: it holds no picture.
        SourceError: it cannot be read.
    """
    if is_remote(source):
        from wd14.data.remote import list_remote

        return list_remote(source, config, log=log)
    opened = open_layout(source, config, log=log)
    kind = "rows" if isinstance(opened.confinement, ZipFiles) else opened.layout.kind
    return LayoutListing(Place(source), opened.name, kind, opened.columns.to_json(), opened=opened)


def is_remote(source: str) -> bool:
    """Whether a source is on a store, or a dataset of the hub that no file or folder hides."""
    return "://" in source or (HubId.parse(source) is not None and not mode_of(Path(source)))


@dataclass(frozen=True)
class LayoutListing(Listing):
    """A source that was looked over: on this machine, or on a disk that machines share."""

    opened: OpenedLayout = field(kw_only=True)

    @property
    def is_file(self) -> bool:
        """Whether the source is one file."""
        return not self.place.local.is_dir()

    def state(self, relative: str) -> tuple[int, str]:
        """The size and the stamp of a file; no stamp where there is none, or something else."""
        place = self.place.local
        return _state(f"{place.parent if self.is_file else place}/{relative}")

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
        size, stamp = _state_of_all(self.files())
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


def open_shard(
    place: Place,
    kind: Kind,
    pieces: Sequence[Piece],
    config: CaptionConfig,
    *,
    columns: Mapping[str, Any] | None = None,
    log: Log,
    stop: StopToken,
) -> Source:
    """The rows of one shard, as a source that is to be closed; `InputRow.index` counts from 0 in it.

    What lies on an object store is fetched while it is read, or before, into a folder that goes with the source.

    Args:
        place: the source.
        kind: what its pieces are.
        pieces: those of the shard.
        config: as the source was listed with.
        columns: `Listing.columns`; None = learned again, for which the whole source is looked over.
        log: is told what a person should know.
        stop: ends a fetch.

    Raises (also while the rows are read):
        SourceChangedError: a file has gone or changed since the source was listed.
        SourceError: it cannot be read.
    """
    if not place.is_local:
        from wd14.data.remote import open_remote_shard

        return open_remote_shard(place, kind, pieces, config, columns=columns, log=log, stop=stop)
    return open_pieces(place, kind, pieces, config, columns=columns, log=log)


def open_pieces(
    place: Place,
    kind: Kind,
    pieces: Sequence[Piece],
    config: CaptionConfig,
    *,
    columns: Mapping[str, Any] | None = None,
    log: Log,
    files: Confinement | None = None,
    on_close: Callable[[], None] = lambda: None,
) -> Source:
    """As `open_shard`, of a source on this machine.

    Args:
        place: the source, or what was fetched of it: a folder with the same relative paths, or the file.
        kind: as for `open_shard`.
        pieces: as for `open_shard`; those without a stamp are not checked for changes.
        config: as for `open_shard`.
        columns: as for `open_shard`.
        log: as for `open_shard`.
        files: what of it may be opened; None = as its folder says.
        on_close: is called when the source is closed.
    """
    path = place.local
    if kind == "rows":
        opened = open_layout(path, config, log=_ignore)
        layout: Layout = _Stretches(opened, pieces, path)
        confinement, name, chosen = opened.confinement, opened.name, opened.columns
    else:
        confinement = files or confinement_of(path, config)
        name = name_of(path, confinement)
        chosen = open_layout(path, config, log=_ignore).columns if columns is None else ChosenColumns.from_json(columns)
        layout = _Pieces(_reader(kind, confinement, path, chosen), pieces, path)
    maker = row_maker(name, config, chosen, confinement, log)
    fetchers = confinement.fetchers if confinement is not None else 0
    return Source(name, layout, ("",), maker, chosen.needed, may_be_empty=True, fetchers=fetchers, on_close=on_close)


def _ignore(line: str) -> None:
    """What there is to say of the source was said when it was listed."""


def _reader(kind: Kind, confinement: Confinement, path: Path, columns: ChosenColumns) -> PieceReader:
    if kind == "pictures":
        return PictureReader(confinement)
    if kind == "tar":
        return TarReader(confinement.root)
    if kind == "table":
        return TableReader(confinement.root, file_names=path.is_file())
    if kind == "metadata":
        return MetadataReader(confinement, columns.names)
    raise SourceError(f"shards of the kind {kind} hold no pictures")


class _Pieces(Layout):
    """The rows of some pieces."""

    columns = ()

    def __init__(self, reader: PieceReader, pieces: Sequence[Piece], path: Path) -> None:
        self._reader = reader
        self._pieces = [replace(piece, file=piece.file or path.name) for piece in pieces]
        self._root = str(path if path.is_dir() else path.parent)
        counts = [piece.rows for piece in pieces if piece.rows is not None]
        self.splits = {"": sum(counts) if len(counts) == len(pieces) else None}

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        for piece in self._pieces:
            self._check(piece)
            yield from self._reader.rows(piece, columns)

    def _check(self, piece: Piece) -> None:
        if piece.file.startswith("/") or ".." in piece.file.split("/"):
            raise SourceError(f"{printable(piece.file)} does not lie in the source")
        if piece.stamp:
            _check_state(piece, _state(f"{self._root}/{piece.file}"), piece.file)


class _Stretches(Layout):
    """Some stretches of the rows of a whole source."""

    columns = ()

    def __init__(self, opened: OpenedLayout, pieces: Sequence[Piece], path: Path) -> None:
        self._opened = opened
        self._pieces = pieces
        self._listing = LayoutListing(Place(path), opened.name, "rows", opened=opened)
        self.splits = {"": sum(piece.end - piece.begin for piece in pieces)}

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        for piece in self._pieces:
            if piece.stamp:
                _check_state(piece, _state_of_all(self._listing.files()), self._opened.name)
            yield from islice(self._opened.layout.rows(self._opened.splits, columns), piece.begin, piece.end)


def _check_state(piece: Piece, state: tuple[int, str], name: str) -> None:
    if state == (piece.size, piece.stamp):
        return
    became = "has changed" if state[1] else "has gone, or is no file any more,"
    raise SourceChangedError(
        f"{printable(name)} {became} since the source was listed: put it back, or begin a new run with another OUTPUT"
    )


def _state(path: str) -> tuple[int, str]:
    """The size and the stamp of a file; no stamp where there is none, or something else."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path for each of a million pictures costs more than this
    except (OSError, ValueError):
        return 0, ""
    return (found.st_size, str(found.st_mtime_ns)) if stat.S_ISREG(found.st_mode) else (0, "")


def _state_of_all(files: Iterable[FoundAt]) -> tuple[int, str]:
    """The size and the stamp of several files as one."""
    size, digest = 0, sha256()
    for file in files:
        size += file.size
        digest.update(f"{file.relative}\0{file.size}\0{file.stamp}\0".encode())
    return size, digest.hexdigest()
