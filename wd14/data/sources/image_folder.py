"""Pictures in folders, and nothing that says more about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from wd14.data.sources.base import IMAGE_COLUMN, Column, RawRow
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import in_usual_order
from wd14.data.sources.walk import Survey, walk
from wd14.text import printable


class ImageFolder:
    """A folder of pictures, at any depth.

    Its top-level folders count as splits (train, validation, test) when every picture lies in one of them.
    """

    columns: Sequence[Column] = (Column(IMAGE_COLUMN),)
    loose_rows = 0

    def __init__(self, confinement: Confinement, found: Survey) -> None:
        self._confinement = confinement
        self._has_splits = None not in found.pictures
        counts: dict[str, int | None] = {str(split): number for split, number in found.pictures.items()}
        self.splits: Mapping[str, int | None] = (
            in_usual_order(counts) if self._has_splits else {"train": found.picture_count}
        )

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        """The pictures in the order of their relative paths."""
        for entry in walk(self._confinement):
            if entry.is_row and (not self._has_splits or entry.split in splits):
                name = entry.relative.rstrip("/").rpartition("/")[2]
                yield RawRow(printable(entry.relative), {IMAGE_COLUMN: Path(entry.path)}, entry.error, name)


class SinglePicture:
    """One picture, given by its own path."""

    columns: Sequence[Column] = (Column(IMAGE_COLUMN),)
    splits: Mapping[str, int | None] = {"train": 1}
    loose_rows = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        """The picture."""
        yield RawRow(printable(self._path.name), {IMAGE_COLUMN: self._path}, name=self._path.name)
