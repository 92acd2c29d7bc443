"""Lists a source wherever it is, cuts it into shards of pieces, and reads the rows of one shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.data.layouts import open_layout
from wd14.data.listing import LayoutListing, Listing
from wd14.data.piece_source import open_pieces
from wd14.data.pieces import Kind, Piece
from wd14.data.reader import Source
from wd14.data.sources.huggingface import HubId
from wd14.data.sources.zip_files import ZipFiles
from wd14.places import Place
from wd14.regular_files import mode_of
from wd14.stop import StopToken
from wd14.types import Log

__all__ = ["Listing", "list_source", "open_shard"]


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
