"""Lists a source, cuts it into shards of pieces, and reads the rows of one shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wd14.config import CaptionConfig
from wd14.data.pieces import Kind, Piece
from wd14.data.reader import Source
from wd14.places import FoundAt, Place
from wd14.stop import StopToken
from wd14.types import Log


@dataclass(frozen=True)
class Listing:
    """Which files of a source count, and what they are.

    Attributes:
        place: the source; of a dataset of the hub its URL with the commit, `hf://datasets/owner/name@<commit>`.
        name: what a person calls it.
        kind: what its pieces are.
    """

    place: Place
    name: str
    kind: Kind

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
    raise NotImplementedError


def open_shard(
    place: Place,
    kind: Kind,
    pieces: Sequence[Piece],
    config: CaptionConfig,
    *,
    log: Log,
    stop: StopToken,
) -> Source:
    """The rows of one shard, as a source that is to be closed; `InputRow.index` counts from 0 in it.

    What lies on an object store is fetched while it is read, or before, into a folder that goes with the source.

    Raises:
        SourceChangedError: a file has gone or changed since the source was listed.
        SourceError: it cannot be read.
    """
    raise NotImplementedError
