"""Exact copies among any number of pictures, by the first 8 bytes of their sha256, in bounded memory.

digests ─▶ files of a temporary folder, by their first bits ─▶ each file sorted by itself ─▶ digests that come twice

Up to a million pictures stay in memory. 10^8 take 1.6 GB of the temporary folder and 150 MB of memory; a wrong pair is
to be expected in one of 4,000 such datasets, and those that are named are confirmed by the whole sha256.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ScaleError
from wd14.regular_files import open_file
from wd14.run_folder import RunFolder, temporary_folder

#: A picture: its digest as a number, and where it is.
_RECORD = np.dtype([("digest", "<u8"), ("shard", "<u4"), ("row", "<u4")])
Records = NDArray[Any]
#: Records that are in memory at once.
_AT_ONCE = 1 << 20

#: Groups of copies that are named, the largest first, and the pictures of a group that are.
MOST_GROUPS = 200
MOST_ROWS = 10


@dataclass(frozen=True, slots=True)
class CopyGroup:
    """Pictures that are the same to the byte."""

    digest: int
    size: int  #: how many there are
    places: tuple[tuple[int, int], ...]  #: (shard, row) of the first ones


@dataclass(frozen=True, slots=True)
class Copies:
    """What was found among all pictures."""

    groups: int  #: how many pictures are there more than once
    pictures: int  #: how many pictures that makes, the first of each among them
    named: tuple[CopyGroup, ...]  #: the largest groups

    @property
    def superfluous(self) -> int:
        """Pictures that are there already."""
        return self.pictures - self.groups


class CopySearch:
    """Takes the digests of shards, and finds those that come twice. A context manager, which clears up.

    Args:
        rows: how many there will be.
        most_groups: groups that are named.
        most_rows: pictures of a group that are named.
        at_once: records that are in memory at once.
    """

    def __init__(
        self, rows: int, *, most_groups: int = MOST_GROUPS, most_rows: int = MOST_ROWS, at_once: int = _AT_ONCE
    ) -> None:
        self._most_groups, self._most_rows = most_groups, most_rows
        self._bits = max(0, (2 * rows // at_once).bit_length())
        self._waiting = np.zeros(min(at_once, max(1, rows)), _RECORD)
        self._count = 0
        self._folder: RunFolder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.remove()

    def add(self, shard: int, digests: NDArray[np.uint64]) -> None:
        """Takes the digests of a shard's rows, in their order; 0 = the picture could not be read.

        Raises:
            ScaleError: the temporary folder has no room.
        """
        rows = np.flatnonzero(digests)
        taken = 0
        while taken < len(rows):
            if self._count == len(self._waiting):
                self._spill()
            chosen = rows[taken : taken + len(self._waiting) - self._count]
            target = self._waiting[self._count : self._count + len(chosen)]
            target["digest"], target["shard"], target["row"] = digests[chosen], shard, chosen
            self._count += len(chosen)
            taken += len(chosen)

    def find(self, tick: Callable[[], None] = lambda: None) -> Copies:
        """What comes twice among all that was added; half a minute for 10^8.

        Raises:
            ScaleError: the temporary folder cannot be used.
        """
        if self._folder is not None:
            self._spill()
        groups = pictures = 0
        best: list[tuple[int, int, int, int]] = []  # (-size, shard, row, digest): the largest, then the first
        for part in range(self._parts):
            tick()
            digests, sizes, firsts = _repeated(self._chunks(part))
            groups += len(digests)
            pictures += int(sizes.sum())
            chosen = np.lexsort((firsts["row"], firsts["shard"], -sizes))[: self._most_groups]
            best += ((-int(sizes[i]), int(firsts["shard"][i]), int(firsts["row"][i]), int(digests[i])) for i in chosen)
            best = sorted(best)[: self._most_groups]
        places = self._places({digest for *_, digest in best}, tick)
        named = tuple(CopyGroup(digest, -size, tuple(places[digest])) for size, _, _, digest in best)
        return Copies(groups, pictures, named)

    @property
    def _parts(self) -> int:
        return 1 if self._folder is None else 1 << self._bits

    def _part_of(self, digests: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return digests >> np.uint64(64 - self._bits) if self._bits else np.zeros(len(digests), np.uint64)

    def _spill(self) -> None:
        """Moves what is in memory to the files."""
        records = self._waiting[: self._count]
        parts = self._part_of(records["digest"])
        order = np.argsort(parts, kind="stable")
        ends = np.searchsorted(parts[order], np.arange(1 << self._bits, dtype=np.uint64), side="right")
        try:
            if self._folder is None:
                self._folder = temporary_folder()
            begin = 0
            for part, end in enumerate(ends.tolist()):
                if end > begin:
                    with self._file(part).open("ab") as file:
                        file.write(records[order[begin:end]].tobytes())
                begin = end
        except OSError as error:
            raise ScaleError(
                f"the search for copies cannot write to {tempfile.gettempdir()}: {error.strerror or error}. It needs 16"
                " bytes a picture there; the variable TMPDIR names another folder"
            ) from error
        self._count = 0

    def _file(self, part: int) -> Path:
        if self._folder is None:
            raise ScaleError("the search for copies has no folder")
        return self._folder.path / f"{part}.records"

    def _chunks(self, part: int) -> Iterator[Records]:
        """The records of a part, in the order in which they were added."""
        if self._folder is None:
            yield self._waiting[: self._count]
            return
        size = len(self._waiting) * _RECORD.itemsize
        try:
            if not self._file(part).exists():
                return
            with open_file(self._file(part)) as file:
                while data := file.read(size):
                    yield np.frombuffer(data, _RECORD)
        except OSError as error:
            raise ScaleError(
                f"the search for copies cannot read {error.filename}: {error.strerror or error}"
            ) from error

    def _places(self, digests: set[int], tick: Callable[[], None]) -> dict[int, list[tuple[int, int]]]:
        """Where the first pictures with these digests are."""
        found: dict[int, list[tuple[int, int]]] = {digest: [] for digest in digests}
        wanted = np.array(sorted(digests), np.uint64)
        parts = range(1) if self._folder is None else np.unique(self._part_of(wanted)).tolist()
        for part in parts:
            tick()
            for chunk in self._chunks(part):
                for digest, shard, row in chunk[np.isin(chunk["digest"], wanted)].tolist():
                    if len(found[digest]) < self._most_rows:
                        found[digest].append((shard, row))
        return found


def _repeated(chunks: Iterable[Records]) -> tuple[NDArray[np.uint64], NDArray[np.int64], Records]:
    """The digests that come twice, how often they come, and the first record of each."""
    sizes, firsts = np.zeros(0, np.int64), np.zeros(0, _RECORD)
    for chunk in chunks:
        # What was seen before stands in front: of equal digests `np.unique` gives the first.
        records = np.concatenate([firsts, chunk])
        counts = np.concatenate([sizes, np.ones(len(chunk), np.int64)])
        _, places, inverse = np.unique(records["digest"], return_index=True, return_inverse=True)
        sizes = np.bincount(inverse.ravel(), counts, len(places)).astype(np.int64)
        firsts = records[places]
    again = sizes > 1
    return firsts["digest"][again], sizes[again], firsts[again]


def confirmed(
    groups: Sequence[CopyGroup], read: Callable[[int, Sequence[int]], Sequence[tuple[str, str]]]
) -> list[tuple[int, list[str]]]:
    """The named groups whose pictures are the same by their whole sha256: how many there are, the ids of the first.

    Args:
        groups: as they were found.
        read: from a shard and rows of it to the id and the sha256 of each; called once for a shard.
    """
    wanted: dict[int, set[int]] = {}
    for group in groups:
        for shard, row in group.places:
            wanted.setdefault(shard, set()).add(row)
    known: dict[tuple[int, int], tuple[str, str]] = {}
    for shard, rows in sorted(wanted.items()):
        chosen = sorted(rows)
        known |= zip(((shard, row) for row in chosen), read(shard, chosen), strict=True)
    found: list[tuple[int, list[str]]] = []
    for group in groups:
        by_sha256: dict[str, list[str]] = {}
        for place in group.places:
            name, sha256 = known[place]
            by_sha256.setdefault(sha256, []).append(name)
        is_one = len(by_sha256) == 1
        found += ((group.size if is_one else len(names), names) for names in by_sha256.values() if len(names) > 1)
    return found
