"""Pictures in folders, without any metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from wd14.data.sources.base import IMAGE_COLUMN, Column, Layout, RawRow
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import in_usual_order
from wd14.data.sources.walk import Survey, walk
from wd14.text import printable


class ImageFolder(Layout):
    """A folder of pictures, at any depth, in the order of their relative paths.

    Its top-level folders are splits (train, validation, test) when every picture lies in one of them.
    """

    columns = (Column(IMAGE_COLUMN),)

    def __init__(self, confinement: Confinement, found: Survey) -> None:
        self.confinement: Confinement = confinement
        self._has_splits = None not in found.pictures
        counts = found.pictures if self._has_splits else {"train": found.pictures.total()}
        self.splits = in_usual_order({str(split): number for split, number in counts.items()})

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        """The pictures; what may not be opened is a row with an error."""
        for found in walk(self.confinement):
            if found.is_row and (not self._has_splits or found.split in splits):
                folder, _, name = found.relative.rstrip("/").rpartition("/")
                yield RawRow(
                    printable(found.relative),
                    {IMAGE_COLUMN: Path(found.path)},
                    found.error,
                    name,
                    split=(self._has_splits and found.split) or "train",
                    picture_folder=folder,
                )


class SinglePicture(Layout):
    """One picture, given by its own path."""

    columns = (Column(IMAGE_COLUMN),)
    splits = {"train": 1}  # noqa: RUF012 - never changed

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        """The picture."""
        yield RawRow(printable(self._path.name), {IMAGE_COLUMN: self._path}, name=self._path.name)
