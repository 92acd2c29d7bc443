"""The manifest of a run: what it is, frozen when it is planned. Another source, model or parameter is another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wd14.data.pieces import Kind

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

    @property
    def hash(self) -> str:
        """The sha256 of everything but `made_at`: every file of the run carries it."""
        raise NotImplementedError
