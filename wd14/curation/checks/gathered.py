"""What a checker remembers of a dataset: about 400 bytes a picture, 300 of them the facts where there are some."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from wd14.curation.checks.captions import ReadCaption
from wd14.curation.checks.expected import Expected
from wd14.curation.checks.words import Word, Words
from wd14.curation.connected import components
from wd14.curation.duplicates import find_duplicates
from wd14.curation.facts_table import FactsTable
from wd14.types import PictureFacts

#: How pictures are alike, and the numbers of their rows.
Similar = tuple[Literal["same", "near", "mirrored", "crop"], Sequence[int]]
FindSimilar = Callable[[Sequence[PictureFacts | None]], Iterable[Similar]]

#: Bytes that are kept of a picture's sha256.
_DIGEST = 16


def similar_pictures(facts: Sequence[PictureFacts | None]) -> Iterator[Similar]:
    """Pictures that look alike, as `find_duplicates` tells them; no parts, which thumbnails do not tell for certain."""
    yield from ((group.kind, group.rows) for group in find_duplicates(facts).groups)


class Gathered:
    """All rows so far.

    Attributes:
        names: of the pictures.
        facts: of the pictures.
        captioned: how many rows have a caption.
        listed: how many of these are lists of tags, and no sentences alone.
        words: the words of all captions.
        folders: pictures in each folder.
        openings: for each row the word that it begins with; None = a sentence, or no caption.
    """

    def __init__(self, expected: Expected, find_similar: FindSimilar) -> None:
        self.expected = expected
        self._find_similar = find_similar
        self.words = Words(expected)
        self.names: list[str] = []
        self.facts = FactsTable()
        self.folders: dict[str, int] = {}
        self.openings: list[Word | None] = []
        self.captioned = 0
        self.listed = 0
        self._digests = bytearray()
        self._texts = array("q")  # hashes of the captions

    def __len__(self) -> int:
        return len(self.names)

    def add(
        self, name: str, folder: str, caption: ReadCaption | None, facts: PictureFacts | None, digest: bytes
    ) -> int:
        """Adds a row; returns its number."""
        row = len(self.names)
        self.names.append(name)
        self.facts.append(facts)
        self.folders[folder] = self.folders.get(folder, 0) + 1
        self.openings.append(None if caption is None else caption.opening)
        self._digests += digest[:_DIGEST].ljust(_DIGEST, b"\0")
        self._texts.append(0 if caption is None else hash(caption.text.strip()))
        if caption is not None:
            self.captioned += 1
            self.listed += bool(caption.words)
            for word in caption.words:
                word.captions += 1
                if not word.is_known or word.is_rating:
                    word.rows.append(row)
        return row

    def text(self, row: int) -> int:
        """A number that is the same for rows of the same caption; 0 = no caption."""
        return self._texts[row]

    @cached_property
    def similar(self) -> list[Similar]:
        """Groups of pictures that look alike."""
        return list(self._find_similar(self.facts))

    @cached_property
    def same_pictures(self) -> list[list[int]]:
        """Rows that hold the same picture: the same file, or one that looks the same."""
        groups = [*self._same_files(), *(sorted(rows) for kind, rows in self.similar if kind == "same")]
        leaders = components(len(self), ((group[0], row) for group in groups for row in group))
        joined: dict[int, list[int]] = {}
        for row in sorted({row for group in groups for row in group}):
            joined.setdefault(leaders[row], []).append(row)
        return list(joined.values())

    def _same_files(self) -> Iterator[list[int]]:
        """Rows whose files are the same to the byte, two or more each time."""
        digests = np.frombuffer(self._digests, f"S{_DIGEST}")
        _, first, which = np.unique(digests, return_index=True, return_inverse=True)
        earlier = first[which]
        groups: dict[int, list[int]] = {}
        for row in np.flatnonzero((earlier < np.arange(len(self))) & (digests != b"")).tolist():
            groups.setdefault(int(earlier[row]), [int(earlier[row])]).append(row)
        yield from groups.values()
