"""Sources on object stores and on the hub: listing one, and reading a shard of it.

They are looked over by the same code as folders of this machine, from what tells the rows of a file: the footers of
Parquet files, the headers of long archives, metadata files. A shard's archives and row groups are fetched when it is
opened, into a temporary folder that goes with it; pictures are fetched ahead of the rows.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wd14.config import CaptionConfig
from wd14.data.hub_source import hub_source
from wd14.data.layouts import look_over
from wd14.data.listing import LayoutListing
from wd14.data.piece_source import open_pieces
from wd14.data.pieces import Kind, Piece
from wd14.data.reader import Source
from wd14.data.remote_files import FETCHERS, RemoteFiles
from wd14.data.sources.huggingface import HubId
from wd14.data.sources.tar_members import cut_archive
from wd14.data.sources.tar_stream import TarStream
from wd14.data.staging import Stage, Stretch
from wd14.errors import PlaceError, SourceError, SourceNotFoundError
from wd14.images.formats import extension
from wd14.places import FoundAt, Place
from wd14.stop import StopToken
from wd14.text import printable
from wd14.threads import OrderedMap
from wd14.types import Log

#: Bytes of an archive that is a shard as a whole; a longer one is cut, for which its headers are read.
LARGEST_WHOLE_ARCHIVE = 2 << 30


def list_remote(source: str, config: CaptionConfig, *, log: Log) -> LayoutListing:
    """As `cutting.list_source`: of a URL, or a dataset's id on the hub."""
    if "://" in source:
        _place(source)  # says nothing that is secret in it, as the hub's part would
    hub = None
    if source.startswith("hf://") or HubId.parse(source) is not None:
        hub = hub_source(source, config.split, log=log)
    place = _place(hub.url if hub else source)
    folder, file = _folder_of(place)
    stage = Stage(folder)
    files = RemoteFiles(folder, stage, only=hub.files if hub else None)
    weakref.finalize(files, stage.close)
    if hub is not None and hub.files is not None:
        config = config.model_copy(update={"split": "all"})  # the files are those of the split
    name = printable(hub.name if hub else place.name.partition(".")[0] if file else place.name) or "dataset"
    opened = look_over(str(place), name, files, config, file=file, log=log)
    kind = opened.layout.kind
    return _RemoteListing(
        place, name, kind, opened.columns.to_json(), opened=opened, remote=files, folder=folder, file=file
    )


def _place(url: str) -> Place:
    try:
        return Place(url)
    except PlaceError as error:
        raise SourceNotFoundError(str(error)) from error


def _folder_of(place: Place) -> tuple[Place, str | None]:
    """The folder of a source, and the one file of it that is meant.

    Raises:
        SourceNotFoundError: nothing is there.
        SourceError: that cannot be seen.
    """
    try:
        try:
            place.facts()
        except FileNotFoundError as error:
            if next(place.entries(), None) is None:
                raise SourceNotFoundError(f"There is nothing at {place}") from error
            return place, None
    except PlaceError as error:
        raise SourceError(str(error)) from error
    return _above(place), place.name


def _above(place: Place) -> Place:
    return Place(str(place).rpartition("/")[0])


@dataclass(frozen=True)
class _RemoteListing(LayoutListing):
    """A source that was looked over on a store."""

    remote: RemoteFiles = field(kw_only=True)
    folder: Place = field(kw_only=True)
    file: str | None = field(kw_only=True)

    @property
    def is_file(self) -> bool:
        return self.file is not None

    def state(self, relative: str) -> tuple[int, str]:
        found = self.remote.facts(relative)
        return (0, "") if found is None else (found.size, found.stamp)

    def cut(self, rows: int) -> Iterator[Piece]:
        if self.kind != "tar":
            yield from super().cut(rows)
            return
        archives = OrderedMap(
            lambda piece: self._cut_archive(piece, rows),
            self._archives(),
            workers=FETCHERS,
            window=4 * FETCHERS,
            name="wd14-headers",
        )
        try:
            for pieces in archives:
                yield from pieces
        finally:
            archives.close()

    def _archives(self) -> Iterator[Piece]:
        layout = self.opened.layout
        for split in self.opened.splits:
            for relative in layout.files([split]):
                yield Piece(relative, split=split)

    def _cut_archive(self, piece: Piece, rows: int) -> list[Piece]:
        size, _ = self.state(piece.file)
        if size <= LARGEST_WHOLE_ARCHIVE:
            return [piece]
        try:
            parts = list(cut_archive(lambda: TarStream((self.folder / piece.file).open(), size), rows))
        except PlaceError as error:
            raise SourceError(f"{printable(piece.file)} cannot be read: {error}") from error
        return [replace(piece, begin=begin, end=end, rows=number) for begin, end, number in parts]


def open_remote_shard(
    place: Place,
    kind: Kind,
    pieces: Sequence[Piece],
    config: CaptionConfig,
    *,
    columns: Mapping[str, Any] | None = None,
    log: Log,
    stop: StopToken,
) -> Source:
    """As `cutting.open_shard`. Archives and row groups are here when it returns; closing it frees their room."""
    file = place.name if pieces and not pieces[0].file else None
    folder = place if file is None else _above(place)
    pieces = [replace(piece, file=piece.file or place.name) for piece in pieces]
    stage = Stage(folder, stop)
    try:
        expected = {piece.file: FoundAt(piece.file, piece.size, piece.stamp) for piece in pieces}
        if kind == "pictures":
            files = RemoteFiles(folder, stage, expected=expected)
        else:
            files = RemoteFiles(folder, stage)
            _fetch(stage, kind, pieces, expected)
        if columns is None:
            columns = look_over(
                str(place), place.name, RemoteFiles(folder, stage), config, file=file, log=log
            ).columns.to_json()
        here = Place(stage.root if file is None else stage.root / file)
        unstamped = [replace(piece, stamp="") for piece in pieces]
        return open_pieces(here, kind, unstamped, config, columns=columns, log=log, files=files, on_close=stage.close)
    except BaseException:
        stage.close()
        raise


def _fetch(stage: Stage, kind: Kind, pieces: Sequence[Piece], expected: Mapping[str, FoundAt]) -> None:
    """Fetches what a shard needs of its archives or tables.

    Raises:
        SourceChangedError: a file has gone or changed since it was listed.
        SourceError: it cannot be fetched.
    """
    stage.check(expected.values())
    if kind == "tar":
        stretches = [Stretch(piece.file, piece.begin, piece.size if piece.end < 0 else piece.end) for piece in pieces]
    elif kind == "table":
        parquet = [each for each in expected.values() if extension(each.relative) == ".parquet"]
        stage.fetch_footers(parquet, threads=FETCHERS)
        stretches = [
            stage.parquet_stretch(piece.file, piece.begin, piece.end)
            if extension(piece.file) == ".parquet"
            else Stretch(piece.file, 0, piece.size)
            for piece in pieces
        ]
    else:  # of metadata files the shard's lines are read where they are
        return
    stage.fetch(stretches, {each.relative: each.size for each in expected.values()})
    stage.check(expected.values())
