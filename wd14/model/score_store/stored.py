"""What goes into the score store's file, and what the store says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

#: Tables of what belongs to a picture and to no model: `images.facts`, `images.thumbnail`.
PictureTable = Literal["facts", "thumbnails"]
PICTURE_TABLES: tuple[PictureTable, ...] = ("facts", "thumbnails")


class Identity(NamedTuple):
    """What scores belong to, beside the picture."""

    id: int
    model: str
    preprocessing: str
    tags: int
    name: str


class StoredScores(NamedTuple):
    """One picture's scores on their way into the file."""

    picture: bytes
    identity: int
    packed: bytes


class StoredCount(NamedTuple):
    """How many pictures have scores of one model with one preprocessing."""

    name: str  #: of the model; empty where a file of an old version does not tell
    model: str  #: hash of the model's files
    preprocessing: str
    pictures: int


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What a store holds."""

    path: Path
    bytes: int  #: on disk
    max_bytes: int
    scored: int  #: pictures with scores, of whatever models
    counts: tuple[StoredCount, ...]  #: scored pictures by model and preprocessing
    facts: int  #: pictures whose facts are kept
    thumbnails: int  #: pictures whose thumbnail is kept
    set_aside: tuple[Path, ...]  #: damaged stores of the past; they can be deleted
