"""Pictures in folders, without any metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from wd14.data.pieces import Piece
from wd14.data.sources.base import IMAGE_COLUMN, Column, Layout, RawRow
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import in_usual_order
from wd14.data.sources.values import encodable
from wd14.data.sources.walk import FoundFile, Survey, find_again, walk
from wd14.text import printable


class ImageFolder(Layout):
    """A folder of pictures, at any depth, in the order of their relative paths.

    Its top-level folders are splits (train, validation, test) when every picture lies in one of them.
    """

    kind = "pictures"
    columns = (Column(IMAGE_COLUMN),)

    def __init__(self, confinement: Confinement, found: Survey) -> None:
        self.confinement: Confinement = confinement
        self._has_splits = None not in found.pictures
        counts = found.pictures if self._has_splits else {"train": found.pictures.total()}
        self.splits = in_usual_order({str(split): number for split, number in counts.items()})

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        """The pictures; what may not be opened is a row with an error."""
        for found in self._found(splits):
            yield _row(found, (self._has_splits and found.split) or "train")

    def files(self, splits: Collection[str]) -> Iterator[str]:
        """The pictures, and the folders that cannot be read."""
        return (found.relative for found in self._found(splits))

    def cut(self, splits: Collection[str], rows: int) -> Iterator[Piece]:  # noqa: ARG002
        """A piece for each picture."""
        for found in self._found(splits):
            yield Piece(found.relative, rows=1, split=(self._has_splits and found.split) or "")

    def _found(self, splits: Collection[str]) -> Iterator[FoundFile]:
        for found in walk(self.confinement):
            if found.is_row and (not self._has_splits or found.split in splits):
                yield found


class SinglePicture(Layout):
    """One picture, given by its own path."""

    kind = "pictures"
    columns = (Column(IMAGE_COLUMN),)
    splits = {"train": 1}  # noqa: RUF012 - never changed

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        """The picture."""
        yield _row(FoundFile(self._path.name, str(self._path)), "train")

    def files(self, splits: Collection[str]) -> Iterator[str]:  # noqa: ARG002
        """The picture."""
        yield self._path.name

    def cut(self, splits: Collection[str], rows: int) -> Iterator[Piece]:  # noqa: ARG002
        """The picture."""
        yield Piece(self._path.name, rows=1)


class PictureReader:
    """Finds the pictures that pieces name.

    Raises (in `rows`):
        SourceChangedError: a picture has gone.
    """

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement

    def rows(self, piece: Piece, columns: Collection[str]) -> Iterator[RawRow]:  # noqa: ARG002
        """The picture, or why it may not be opened."""
        yield _row(find_again(self._confinement, piece.file), piece.split or "train")


def _row(found: FoundFile, split: str) -> RawRow:
    folder, _, name = found.relative.rstrip("/").rpartition("/")
    return RawRow(
        printable(found.relative),
        {IMAGE_COLUMN: Path(found.path)},
        found.error,
        name,
        split=split,
        picture_folder=folder,
        key=encodable(found.relative),
    )
