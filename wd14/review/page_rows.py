"""`PageRows`: fed row by row, it gives the page's data of them at the end."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wd14.review.base64_arrays import base64_of
from wd14.review.candidates import Candidates
from wd14.types import FloatArray, Status

_STATUSES = {Status.CAPTIONED: 0, Status.FROM_SCORES: 1, Status.FAILED: 2, Status.REJECTED: 3}
_DIGEST = 32
_LARGEST_SIDE = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class PageRow:
    """One picture of the source, captioned or not."""

    source: str  #: where it came from, for a person
    status: Status
    name: str | None = None  #: path of the picture, as the page reaches it: "train/a.png"
    digest: bytes = b""  #: sha256 of its bytes in the source; empty = they could not be read
    caption: str = ""  #: as it was before any edit
    before: str | None = None  #: the caption that the picture had in the source
    reason: str | None = None  #: why it failed
    notes: Sequence[str] = ()
    scores: FloatArray | None = None  #: (T,) float32
    size: tuple[int, int] | None = None  #: width and height in pixels, as it is shown
    written: str | None = None  #: the caption after the run's edits, where the page cannot always work it out


class PageRows:
    """The pictures of a page: about 300 bytes each, and 6 for each candidate.

    Args:
        separator: of the captions.
        texts: what the model's tags are written as, in the order of their ids.
        candidates: takes the scores; None = there are none.
    """

    def __init__(self, separator: str, texts: Iterable[str] = (), candidates: Candidates | None = None) -> None:
        self._separator = separator
        self._bare = separator.strip() or separator
        self._texts: dict[str, int] = {}
        for text in texts:
            self._texts.setdefault(text, len(self._texts))
        self._candidates = candidates
        self._shas = bytearray()
        self._status = array("B")
        self._names: list[str | None] = []
        self._sources: list[str] = []
        self._ids, self._ends = array("I"), array("I")
        self._sizes = array("H")
        self._raw: dict[int, str] = {}
        self._before: dict[int, str] = {}
        self._written: dict[int, str] = {}
        self._reasons: dict[int, str] = {}
        self._notes: dict[int, list[str]] = {}

    def __len__(self) -> int:
        return len(self._sources)

    def add(self, row: PageRow) -> None:
        """Adds the next row."""
        number = len(self)
        self._shas += row.digest.ljust(_DIGEST, b"\0")
        self._status.append(_STATUSES[row.status])
        self._names.append(row.name)
        self._sources.append(row.source)
        self._sizes.extend(min(side, _LARGEST_SIDE) for side in row.size or (0, 0))
        self._add_caption(number, row.caption)
        pairs = ((self._before, row.before), (self._written, row.written), (self._reasons, row.reason))
        for table, value in pairs:
            if value is not None:
                table[number] = value
        if row.notes:
            self._notes[number] = list(row.notes)
        if self._candidates is not None:
            self._candidates.add(row.scores)

    def _add_caption(self, number: int, caption: str) -> None:
        """Keeps a caption as parts; one that its parts do not make is kept as it is."""
        if caption:
            parts = [part.strip() for part in caption.split(self._bare)] if self._bare else [caption]
            if all(parts) and self._separator.join(parts) == caption:
                self._ids.extend(self._texts.setdefault(part, len(self._texts)) for part in parts)
            else:
                self._raw[number] = caption
        self._ends.append(len(self._ids))

    def texts(self) -> list[str]:
        """All texts so far, by id."""
        return list(self._texts)

    def rows_of_digests(self) -> dict[bytes, list[int]]:
        """The rows that hold each picture, by its sha256."""
        found: dict[bytes, list[int]] = {}
        for row in range(len(self)):
            digest = bytes(self._shas[row * _DIGEST : (row + 1) * _DIGEST])
            if any(digest):
                found.setdefault(digest, []).append(row)
        return found

    def rows_of_names(self) -> dict[str, int]:
        """The row of each picture of the output, by its path."""
        return {name: row for row, name in enumerate(self._names) if name is not None}

    def rows_of_sources(self) -> dict[str, int]:
        """The row of each label under which a person knows a picture."""
        return {source: row for row, source in enumerate(self._sources)}

    def captions_before(self) -> Mapping[int, str]:
        """The captions that rows had before, by row."""
        return self._before

    def page_id(self, mark: str) -> str:
        """A key for what a browser keeps of this page: the same for the same pictures and the same mark."""
        digest = hashlib.sha256(bytes(self._shas))
        digest.update(mark.encode("utf-8", "replace"))
        return digest.hexdigest()[:16]

    def encode(self) -> dict[str, Any]:
        """The fields of the page's data that are about rows."""
        return {
            "texts": list(self._texts),
            "sha": base64_of(np.frombuffer(bytes(self._shas), np.uint8), "u1"),
            "names": self._names,
            "sources": self._sources,
            "status": self._status.tolist(),
            "reasons": self._reasons,
            "notes": self._notes,
            "before": self._before,
            "written": self._written,
            "captions": {
                "ids": base64_of(np.array(self._ids), "<u4"),
                "ends": base64_of(np.array(self._ends), "<u4"),
            },
            "raw": self._raw,
            "candidates": None if self._candidates is None else self._candidates.encode(),
            "sizes": base64_of(np.array(self._sizes), "<u2"),
        }
