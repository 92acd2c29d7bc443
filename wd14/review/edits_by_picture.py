"""A person's edits by picture, what became of them in a job, and which no longer apply."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from wd14.text import count, listed
from wd14.types import Edit, PictureEdits

#: How many edits that do not apply are told.
_MOST_TOLD = 5


class EditWithRows(NamedTuple):
    """An edit, and whose it is."""

    edit: Edit
    rows: tuple[bytes, ...] | None  #: sha256 of pictures; None = all of them


class Edits:
    """A person's edits, by picture. Looking up one costs a microsecond.

    Needs about 300 bytes for each picture that the edits name.

    Attributes:
        entries: the edits, in order.
        text: the file that they are from.
    """

    def __init__(self, entries: Sequence[EditWithRows] = (), text: bytes = b"") -> None:
        self.entries = tuple(entries)
        self.text = text
        self._of_all = tuple(position for position, entry in enumerate(entries) if entry.rows is None)
        self._by_digest: dict[bytes, list[int]] = {}
        for position, entry in enumerate(entries):
            for digest in entry.rows or ():
                own = self._by_digest.setdefault(digest, [])
                if not own or own[-1] != position:
                    own.append(position)
        self._originals: Mapping[bytes, bytes] = {}
        self._unseen = set(self._by_digest)
        self._applied = [0] * len(self.entries)
        self._edited = self._rejected = 0
        # Bulk edits give many pictures the same.
        self._together = lru_cache(maxsize=1 << 12)(self._put_together)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def as_json(self) -> list[dict[str, Any]]:
        """The edits as the file has them."""
        edits: list[dict[str, Any]] = json.loads(self.text)["edits"] if self.text else []
        return edits

    @property
    def originals(self) -> Mapping[bytes, bytes]:
        """The sha256 of pictures that were changed when they were saved, with those of their originals."""
        return self._originals

    def names(self, digest: bytes) -> bool:
        """Whether an edit names the picture with this sha256."""
        return digest in self._by_digest

    def know_originals(self, originals: Mapping[bytes, bytes]) -> None:
        """Takes the sha256 of pictures that were changed when they were saved, with those of their originals.

        A picture then has the edits of its original, too.
        """
        self._originals = originals

    def of(self, digest: bytes) -> PictureEdits:
        """The edits of the picture with this sha256."""
        own = self._by_digest.get(digest, ())
        if self._originals and (original := self._originals.get(digest)) is not None:
            own = sorted({*own, *self._by_digest.get(original, ())})
        return self._together(tuple(own))

    def _put_together(self, own: tuple[int, ...]) -> PictureEdits:
        positions = tuple(sorted((*own, *self._of_all)))
        edits = tuple(self.entries[position].edit for position in positions)
        rejects = [edit for edit in edits if edit.op == "reject"]
        keeps_first = bool(rejects) and all(edit.keeps_first for edit in rejects)
        return PictureEdits(positions, edits, bool(rejects) and not keeps_first, keeps_first)

    def note(self, digest: bytes, applied: Sequence[bool], *, rejected: bool = False) -> None:
        """Counts what became of a picture's edits.

        Args:
            digest: the picture's sha256.
            applied: of each of its edits, whether the caption is as it says; empty where the picture has no caption.
            rejected: whether it is rejected.
        """
        self._unseen.discard(digest)
        if self._originals:
            self._unseen.discard(self._originals.get(digest, b""))
        self._rejected += rejected
        self._edited += any(applied)
        for position, did in zip(self.of(digest).positions, applied, strict=False):
            self._applied[position] += did

    def closing_lines(self) -> Iterator[str]:
        """What the edits did, and which do not apply any more."""
        if not self.entries:
            return
        rejected = f", {count(self._rejected, 'picture')} rejected" if self._rejected else ""
        yield f"Edits: {count(len(self.entries), 'edit')}, made in {count(self._edited, 'caption')}{rejected}."
        if self._unseen:
            yield (
                f"Edits: {len(self._unseen):,} of {count(len(self._by_digest), 'picture')} that they name"
                f" {'is' if len(self._unseen) == 1 else 'are'} not in this dataset."
            )
        idle = [entry for position, entry in enumerate(self.entries) if self._is_idle(position, entry)]
        if idle:
            told = listed([_in_words(entry) for entry in idle], _MOST_TOLD)
            yield f"Edits: {count(len(idle), 'edit')} found the tag in no caption: {told}."

    def _is_idle(self, position: int, entry: EditWithRows) -> bool:
        """Whether an edit looked for a tag in captions of this dataset, and found it in none."""
        if self._applied[position] or entry.edit.op not in ("remove", "replace"):
            return False
        return entry.rows is None or not self._unseen.issuperset(entry.rows)


def _in_words(entry: EditWithRows) -> str:
    """`remove 'smile' (3 pictures)`."""
    edit, rows = entry
    what = f"{edit.op} {edit.tag!r}" + (f" with {edit.replacement!r}" if edit.replacement else "")
    return f"{what} ({'all pictures' if rows is None else count(len(rows), 'picture')})"
