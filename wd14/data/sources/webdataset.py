"""WebDataset: tar archives whose members make up a row when they share their name up to the first dot."""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from wd14.data.pieces import Piece
from wd14.data.sources.base import IMAGE_COLUMN, Column, Layout, RawRow
from wd14.data.sources.splits import in_usual_order, split_of_file
from wd14.data.sources.tar_members import DAMAGE, TEXT_EXTENSIONS, cut_archive, split_name, visible_members
from wd14.data.sources.tar_stream import TarStream
from wd14.data.sources.values import decode_text, encodable, first_line
from wd14.errors import (
    DamagedImageError,
    ImageTooLargeError,
    MissingImageError,
    RowError,
    SourceError,
    UnreadableImageError,
)
from wd14.images.formats import extension, is_picture
from wd14.images.reading import MAX_BYTES
from wd14.text import printable

#: Bytes of the text of a row, and of all its members. They are held in memory, and a header can claim any size.
_LARGEST_TEXT = 16 << 20
_LARGEST_ROW = MAX_BYTES
_MOST_MEMBERS_OF_A_ROW = 1000
#: Rows that are read to learn the columns.
_ROWS_TO_LEARN_FROM = 9


class _NotAnArchiveError(UnreadableImageError):
    """A file that should be an archive and cannot be opened as one."""


class WebDataset(Layout):
    """The rows of tar archives, compressed or not, in the order of their members.

    The column `image` is the row's first picture; a member's own extension (`jpg`, `mask.png`) names it as well.
    `.txt` is the column `text`, `.caption` is `caption`, and the keys of `.json` are columns.

    Raises:
        SourceError: there is only one archive, and it cannot be opened.
    """

    kind = "tar"

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self._root = root
        self._files = [(relative, split_of_file(relative) or "train") for relative in files]
        self._reader = TarReader(root)
        columns = {IMAGE_COLUMN: Column(IMAGE_COLUMN)}
        for _, row in zip(range(_ROWS_TO_LEARN_FROM), self._reader.tar_rows(Piece(files[0])), strict=False):
            if len(files) == 1 and isinstance(row.error, _NotAnArchiveError):
                raise SourceError(f"{printable(files[0])}: {row.error}")
            for name in row.values:
                columns.setdefault(name, row.column(name))
        self.columns = tuple(columns.values())
        self.splits = in_usual_order({split: None for _, split in self._files})

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows; an archive that breaks off gives the rows before the break, and a failed one that says so."""
        for relative, split in self._files:
            if split in splits:
                yield from self._reader.rows(Piece(relative, split=split), columns)

    def files(self, splits: Collection[str]) -> Iterator[str]:
        """The archives."""
        return (relative for relative, split in self._files if split in splits)

    def cut(self, splits: Collection[str], rows: int) -> Iterator[Piece]:
        """Archives, or parts of long ones: their headers are read and nothing else. A compressed one stays whole."""
        for relative, split in self._files:
            if split in splits:
                for begin, end, number in cut_archive(partial(TarStream.at, self._root / relative), rows):
                    yield Piece(relative, begin=begin, end=end, rows=number, split=split)


class TarReader:
    """Reads pieces of tar archives."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def rows(self, piece: Piece, columns: Collection[str]) -> Iterator[RawRow]:
        """The rows; as those of a whole archive where it breaks off."""
        for row in self.tar_rows(piece):
            yield row.raw_row(piece.file, columns, piece.split or "train")

    def tar_rows(self, piece: Piece) -> Iterator[_TarRow]:
        """The rows, with all their columns."""
        row = _TarRow("")
        with contextlib.ExitStack() as opened:
            try:
                stream = opened.enter_context(TarStream.at(self._root / piece.file))
                stream.seek(piece.begin)
                archive = opened.enter_context(tarfile.TarFile(fileobj=stream))  # type: ignore[arg-type]
            except DAMAGE as error:
                problem = f"it is not a tar archive, or not a whole one ({first_line(error)})"
                yield _TarRow("", error=_NotAnArchiveError(problem))
                return
            try:
                for member in visible_members(archive, stream, piece.end):
                    key, name = split_name(member.name)
                    if row.key != key:
                        if row.has_members:
                            yield row
                        row = _TarRow(key)
                    row.add(stream, member, name)
            except DAMAGE as error:
                if row.has_picture:
                    yield row
                yield _TarRow("", error=DamagedImageError(f"the archive breaks off or is damaged: {first_line(error)}"))
                return
        if row.has_members:
            yield row


@dataclass(slots=True)
class _TarRow:
    key: str
    values: dict[str, Any] = field(default_factory=dict)
    picture: str = ""  #: base name of the first picture
    member: str = ""  #: its path in the archive
    picture_column: str = ""  #: its second column, named by its extension
    error: RowError | None = None
    has_members: bool = False  #: whether any member belongs to a row; a README does not
    has_picture: bool = False  #: whether a picture was read to its end
    _members: int = 0
    _size: int = 0  # bytes of all members
    _text_size: int = 0

    def add(self, stream: TarStream, member: tarfile.TarInfo, name: str) -> None:
        """Reads a member into the column `name`, unless it is something else than a picture or text."""
        base = member.name.rpartition("/")[2]
        if is_picture(base):
            self.has_members = True
            try:
                value: Any = {"bytes": self._read(stream, member, MAX_BYTES), "path": base}
            except RowError as problem:
                value = problem.without_frames()
            self.values[name] = value
            if not self.picture:
                self.picture, self.member, self.picture_column = base, member.name, name
                self.values[IMAGE_COLUMN] = value
            self.has_picture = True
        elif extension(base) in TEXT_EXTENSIONS:
            self.has_members = True
            try:
                data = self._read(stream, member, _LARGEST_TEXT - self._text_size)
                self._text_size += len(data)
                self._add_text(decode_text(data), name)
            except (RowError, ValueError, RecursionError) as problem:
                self.error = self.error or UnreadableImageError(f"{printable(member.name)}: {printable(str(problem))}")

    def _read(self, stream: TarStream, member: tarfile.TarInfo, largest: int) -> bytes:
        if not member.isreg() or member.issparse():
            raise UnreadableImageError("it is a link, a device or a sparse file in the archive, not a file")
        if member.size > largest:
            raise ImageTooLargeError(f"{member.size:,} bytes, over the limit of {largest:,}")
        self._members += 1
        self._size += member.size
        if self._size > _LARGEST_ROW or self._members > _MOST_MEMBERS_OF_A_ROW:
            raise ImageTooLargeError(
                f"the row has over {_LARGEST_ROW:,} bytes, or over {_MOST_MEMBERS_OF_A_ROW:,} files"
            )
        return stream.read_member(member)

    def _add_text(self, text: str, name: str) -> None:
        if name.rpartition(".")[2] == "json":
            value = json.loads(text)
            self.values = {**(value if isinstance(value, dict) else {name: value}), **self.values}
        else:
            self.values["text" if name == "txt" else name] = text

    def column(self, name: str) -> Column:
        """A column of this row. The first picture has two: `image` and one named by its extension."""
        if not is_picture("x." + name):
            return Column(name)
        return Column(name, "" if name == self.picture_column else "picture", can_be_json=False)

    def raw_row(self, archive: str, columns: Collection[str], split: str) -> RawRow:
        name = self.picture or self.key
        error = self.error
        if error is None and not self.picture:
            error = MissingImageError("the row has no member that is a picture")
        values = {name: value for name, value in self.values.items() if name in columns}
        shown, inner = printable(archive), self.member or self.key
        return RawRow(
            f"{shown}: {printable(name)}" if name else shown,
            values,
            error,
            split=split,
            key=encodable(f"{archive}/{inner}" if inner else archive),
        )
