"""The rows of some pieces of a source, as a source of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.data.layouts import OpenedLayout, confinement_of, name_of, open_layout, row_maker
from wd14.data.listing import LayoutListing, state_of, state_of_all
from wd14.data.pieces import Kind, Piece
from wd14.data.reader import Source
from wd14.data.sources.base import Layout, PieceReader, RawRow
from wd14.data.sources.chosen_columns import ChosenColumns
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.image_folder import PictureReader
from wd14.data.sources.metadata import MetadataReader
from wd14.data.sources.tables import TableReader
from wd14.data.sources.webdataset import TarReader
from wd14.errors import SourceChangedError, SourceError
from wd14.places import Place
from wd14.text import printable
from wd14.types import Log


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
        opened = _archives(path, pieces[0].stamp, config)
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


#: The zip archives that were opened last, and what they were asked for as.
_last_archives: list[tuple[tuple[Path, str, CaptionConfig], OpenedLayout]] = []


def _archives(path: Path, stamp: str, config: CaptionConfig) -> OpenedLayout:
    """Zip archives, looked over once for all shards that a process reads: a million members take half a minute.

    Raises:
        SourceChangedError: they cannot be read any more.
    """
    asked = (path, stamp, config)
    if not stamp or not _last_archives or _last_archives[0][0] != asked:
        _last_archives.clear()
        try:
            _last_archives.append((asked, open_layout(path, config, log=_ignore)))
        except SourceError as error:
            raise SourceChangedError(f"it could be read when it was listed, and now it cannot: {error}") from error
    return _last_archives[0][1]


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
            _check_state(piece, state_of(f"{self._root}/{piece.file}"), piece.file)


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
                _check_state(piece, state_of_all(self._listing.files()), self._opened.name)
            yield from islice(self._opened.layout.rows(self._opened.splits, columns), piece.begin, piece.end)


def _check_state(piece: Piece, state: tuple[int, str], name: str) -> None:
    if state == (piece.size, piece.stamp):
        return
    became = "has changed" if state[1] else "has gone, or is no file any more,"
    raise SourceChangedError(
        f"{printable(name)} {became} since the source was listed: put it back, or begin a new run with another OUTPUT"
    )
