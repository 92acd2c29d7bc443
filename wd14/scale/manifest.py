"""The manifest of a run: what it is, frozen when it is planned. Another source, model or parameter is another run."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

from wd14.config import CaptionConfig
from wd14.data.pieces import Kind, Piece
from wd14.errors import ScaleError
from wd14.scale.output import Output, Phase

Format = Literal["parquet", "webdataset"]


@dataclass(frozen=True)
class Manifest:
    """What a run is."""

    source: str  #: its place, as a URL or a whole path
    source_name: str
    kind: Kind
    files: int
    size: int  #: bytes of its files
    listing: str  #: sha256 of the names, sizes and stamps of its files
    columns: Mapping[str, Any]  #: which of its columns are read: learned once, from the source as a whole
    model: str  #: as the user wrote it
    model_identity: str
    tags: int
    scoring: Mapping[str, Any]  #: everything else that shapes scores and which rows there are
    parameters: Mapping[str, Any]  #: all parameters
    given: tuple[str, ...]  #: keys of those that the user set
    format: Format
    shard_rows: int
    shards: int
    rows: int | None  #: None where counting would mean reading
    study_every: int  #: of so many pictures one is studied
    pieces: str  #: sha256 of the pieces of all shards
    made_by: str
    made_at: str = field(default="", compare=False)

    @cached_property
    def hash(self) -> str:
        """The sha256 of everything but `made_at`: every file of the run carries it."""
        values = {key: value for key, value in asdict(self).items() if key != "made_at"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What is done to every shard, one after the other; a shard is complete when it has the last one's marker."""
        first: Phase = "caption" if self.kind == "stored" else "score"
        return (first, "plan") if CaptionConfig.model_construct(**self.parameters).studies else (first,)

    @property
    def expected_rows(self) -> int:
        """The rows, or about how many there are where they were not counted."""
        return self.shards * self.shard_rows if self.rows is None else self.rows

    @property
    def endings(self) -> Sequence[str]:
        """What the names of a shard's files end in: its rows, and its archive where the run has archives."""
        return (".parquet", ".tar") if self.format == "webdataset" else (".parquet",)

    def to_json(self) -> str:
        """As its file holds it."""
        return json.dumps(asdict(self) | {"hash": self.hash}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, place: str) -> Manifest:
        """From its file.

        Raises:
            ScaleError: it is not as a run writes it, or somebody changed it.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            noted = values.pop("hash")
            values["given"] = tuple(values["given"])
            manifest = cls(**values)
            intact = set(values) == {each.name for each in fields(cls)} and manifest.hash == noted
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ScaleError(
                f"{place} is no manifest of a run ({error}): name another OUTPUT, or put the manifest back as it was"
            ) from error
        if not intact:
            raise ScaleError(f"{place} was changed since the run was planned: put it back, or name another OUTPUT")
        return manifest


def read_manifest(output: Output) -> Manifest | None:
    """The manifest of the run that an output holds; None where it has none.

    Raises:
        ScaleError: it is not as a run writes it.
        PlaceError: it cannot be read.
    """
    try:
        data = output.manifest.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Manifest.from_json(data, place=str(output.manifest))


def pieces_to_bytes(pieces: Sequence[Piece], manifest: Manifest, shard: int) -> bytes:
    """The pieces of a shard as `plan/` holds them, before they are packed; a megabyte for 10,000 pictures."""
    values = [_plan_of(manifest, shard), [piece.to_json() for piece in pieces]]
    return json.dumps(values, separators=(",", ":")).encode()


def _plan_of(manifest: Manifest, shard: int) -> str:
    """Tells the pieces of a shard from those of another one, or of another run. There is no whole manifest yet."""
    return f"{manifest.listing} {manifest.shard_rows} {shard}"


def write_pieces(output: Output, shard: int, data: bytes) -> None:
    """Writes what `pieces_to_bytes` gave to its file."""
    output.pieces(shard).write(gzip.compress(data, compresslevel=1, mtime=0))


def read_pieces(output: Output, manifest: Manifest, shard: int) -> tuple[Piece, ...]:
    """The pieces of a shard.

    Raises:
        ScaleError: there is no such shard, or its file has gone or is damaged.
        PlaceError: it cannot be read.
    """
    place = output.pieces(shard)
    if not 0 <= shard < manifest.shards:
        raise ScaleError(f"{output.root} has {manifest.shards:,} shards, and no number {shard:,}")
    try:
        data = place.read()
    except FileNotFoundError as error:
        raise ScaleError(f"{place} has gone, so its shard cannot be read: run the same command again") from error
    try:
        plan_of, values = json.loads(gzip.decompress(data))
        pieces = tuple(Piece.from_json(each) for each in values)
    except (OSError, EOFError, ValueError, TypeError, RecursionError, zlib.error) as error:
        raise ScaleError(f"{place} is no part of the plan ({error}): remove it, and run again") from error
    if plan_of != _plan_of(manifest, shard):
        raise ScaleError(f"{place} is of the plan of another shard or run: remove it, and run again")
    return pieces
