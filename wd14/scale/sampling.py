"""Some pictures of a source, evenly over its shards, read into memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from wd14.config import CaptionConfig
from wd14.curation.even_sample import EvenSample
from wd14.data.cutting import Listing, list_source, open_shard
from wd14.data.pieces import Kind, Piece
from wd14.errors import ConfigError, EmptySourceError, RowError, SourceError
from wd14.images.reading import read_picture
from wd14.places import Place
from wd14.scale.manifest import read_manifest, read_pieces
from wd14.scale.output import Output
from wd14.stop import StopToken
from wd14.types import InputRow, Log

#: Pictures of a sample where nobody says, and the shards that they are taken from.
PICTURES = 200
SHARDS = 50
#: Bytes of encoded pictures that a sample may hold.
_BYTES = 256 << 20
#: Bytes of an archive that are looked at for each picture that is wanted.
_BYTES_OF_ARCHIVE = 4 << 20

Tick = Callable[[int, int], None]
T = TypeVar("T")


@dataclass
class Sample:
    """Some pictures of a source.

    Attributes:
        name: the source's.
        shards: how many the source has.
        sampled_shards: how many were looked at.
        rows: how many pictures it has; None where counting would mean reading.
        size: bytes of its files.
        pictures: rows with the encoded picture in them, or with its file.
        unreadable: other rows of the sample, which have no picture that can be read.
        damaged: rows of `pictures` that turned out to be no picture.
        seconds: that reading took, one picture after the other.
    """

    name: str
    shards: int
    rows: int | None
    size: int
    sampled_shards: int = 0
    pictures: list[InputRow] = field(default_factory=list)
    unreadable: int = 0
    damaged: int = 0
    seconds: float = 0.0

    @property
    def sizes(self) -> list[int]:
        """Bytes of each picture."""
        return [len(row.data) for row in self.pictures if row.data is not None]


@dataclass(frozen=True)
class _Shards:
    """Shards of a source, a few of them to be looked at."""

    sample: Sample
    place: Place
    kind: Kind
    columns: Mapping[str, Any]
    chosen: Sequence[tuple[Piece, ...]]


def take_sample(
    source: str,
    config: CaptionConfig,
    *,
    wanted: int = PICTURES,
    shard_rows: int,
    keep_files: bool = False,
    log: Log,
    tick: Tick,
    stop: StopToken,
) -> Sample:
    """Reads some pictures: by the plan of a run where the source is its OUTPUT, else as the source is listed now.

    A source of a million files is listed in some seconds on a disk. At most 256 MB of pictures are in memory.

    Args:
        source: as the user wrote it.
        config: the parameters.
        wanted: how many pictures, about; there may be more.
        shard_rows: rows of a shard; the fewer, the more evenly tables and archives are sampled.
        keep_files: whether pictures that are files of this machine are left there, instead of held in memory.
        log: is told what a person should know.
        tick: is told how many pictures are there, and of how many.
        stop: ends it.

    Raises:
        SourceError: it cannot be read; no picture of the sample can.
        JobStoppedError: a stop was asked for.
    """
    shards = _planned(source) or _listed(source, config, shard_rows, log, stop)
    sample, each = shards.sample, max(1, -(-wanted // max(1, len(shards.chosen))))
    keep_files = keep_files and shards.place.is_local
    held = 0
    for pieces in shards.chosen:
        stop.check()
        for row in _rows(shards, thinned(shards.kind, pieces, each), config, each, stop):
            held += _add(sample, row, keep_file=keep_files)
            tick(len(sample.pictures), wanted if sample.rows is None else min(wanted, sample.rows))
            if held > _BYTES:
                return sample
        sample.sampled_shards += 1
    if not sample.pictures:
        raise EmptySourceError(f"no picture of the sample of {sample.name} can be read: see what `caption` says of it")
    return sample


def _add(sample: Sample, row: InputRow, *, keep_file: bool) -> int:
    """Reads a row's picture for the sample; returns how many bytes of it are held from now on."""
    began = time.perf_counter()
    try:
        data = read_picture(row)
    except RowError:
        sample.unreadable += 1
        return 0
    sample.seconds += time.perf_counter() - began
    is_file = keep_file and row.path is not None
    sample.pictures.append(row if is_file else replace(row, path=None, data=data))
    return 0 if is_file else len(data)


def _planned(source: str) -> _Shards | None:
    output = Output(Place(source))
    manifest = read_manifest(output)
    if manifest is None:
        return None
    if manifest.kind == "stored":
        raise ConfigError(f"{source} makes captions from stored scores: no picture is read and no model runs for it")
    chosen = [read_pieces(output, manifest, shard) for shard in thin(range(manifest.shards), SHARDS)]
    sample = Sample(manifest.source_name, manifest.shards, manifest.rows, manifest.size)
    return _Shards(sample, Place(manifest.source), manifest.kind, manifest.columns, chosen)


def _listed(source: str, config: CaptionConfig, shard_rows: int, log: Log, stop: StopToken) -> _Shards:
    listing: Listing = list_source(source, config, log=log)
    even = EvenSample[tuple[Piece, ...]](2 * SHARDS)
    shards = rows = 0
    is_counted = True
    for pieces in listing.shards(config, shard_rows):
        stop.check()
        even.add(partial(tuple, pieces))
        shards += 1
        is_counted = is_counted and all(piece.rows is not None for piece in pieces)
        rows += sum(piece.rows or 0 for piece in pieces)
    size = sum(found.size for found in listing.files())
    sample = Sample(listing.name, shards, rows if is_counted else None, size)
    return _Shards(sample, listing.place, listing.kind, listing.columns, thin(even.items, SHARDS))


def thin(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, evenly spread."""
    number = min(most, len(items))
    return [items[index * len(items) // number] for index in range(number)]


def thinned(kind: Kind, pieces: Sequence[Piece], wanted: int) -> list[Piece]:
    """Pieces with about so many rows, or more where it cannot be said; evenly over the shard where that is cheap."""
    if kind == "pictures":
        return thin(pieces, wanted)
    chosen: list[Piece] = []
    each = max(1, -(-wanted // min(len(pieces), wanted)))
    for piece in thin(pieces, wanted):
        if kind in ("table", "rows") and piece.end - piece.begin > each:
            begin = piece.begin + (piece.end - piece.begin - each) // 2
            piece = replace(piece, begin=begin, end=begin + each, rows=each)
        elif kind == "tar":
            end = piece.size if piece.end < 0 else piece.end
            limit = piece.begin + max(4, each) * _BYTES_OF_ARCHIVE
            piece = replace(piece, end=limit, rows=None) if limit < end else piece
        chosen.append(piece)
    return chosen


def _rows(
    shards: _Shards, pieces: Sequence[Piece], config: CaptionConfig, wanted: int, stop: StopToken
) -> Iterator[InputRow]:
    """The first rows of some pieces; a picture's file may go with the iteration's end."""
    with open_shard(
        shards.place, shards.kind, pieces, config, columns=shards.columns, log=lambda _: None, stop=stop
    ) as source:
        read = 0
        try:
            for row in islice(source, wanted):
                read += 1
                yield row
        except SourceError:
            if not read:  # else an archive whose stretch was cut short
                raise
