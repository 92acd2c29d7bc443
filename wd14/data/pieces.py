"""A source cut into pieces: stretches of rows that can be read by themselves, wherever the source can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

#: What the pieces of a source are.
#:
#: - pictures: a piece is a picture; its file names it.
#: - tar: rows of a tar archive whose first member begins at the bytes `begin` to `end`; -1 = the archive's end.
#: - table: rows `begin` to `end` of a Parquet or Arrow file; -1 = its end.
#: - metadata: rows of a metadata.jsonl or metadata.csv that begin at the bytes `begin` to `end`, with their pictures.
#: - rows: rows `begin` to `end` of the source as a whole, where nothing better is possible (zip archives).
#: - stored: a shard that `scale` wrote before; its captions are made again from its scores.
Kind = Literal["pictures", "tar", "table", "metadata", "rows", "stored"]


#: Rows of a shard, about, where nobody says.
SHARD_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of rows of one file."""

    file: str  #: path from the source, parts joined with "/"; empty = the source itself is the file
    size: int = 0  #: bytes of the file
    stamp: str = ""  #: what becomes another when the file changes, see `places.FoundAt`; empty = it cannot be told
    begin: int = 0
    end: int = -1
    rows: int | None = None  #: how many; None where counting would mean reading
    split: str = ""  #: the source's split that is read; empty = all
    first: int = 0  #: of metadata: the number of the line that begins at `begin`, from 1; of pictures: unused

    def to_json(self) -> list[Any]:
        """As JSON holds it."""
        return [self.file, self.size, self.stamp, self.begin, self.end, self.rows, self.split, self.first]

    @classmethod
    def from_json(cls, value: list[Any]) -> Piece:
        """From what `to_json` gave."""
        return cls(*value)
