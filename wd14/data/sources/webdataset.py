"""WebDataset: tar archives whose members make up a row when they share their name up to the first dot."""

from __future__ import annotations

import contextlib
import json
import tarfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from lzma import LZMAError
from pathlib import Path
from typing import Any

from wd14.data.sources.base import IMAGE_COLUMN, Column, Layout, RawRow
from wd14.data.sources.splits import in_usual_order, split_of_file
from wd14.data.sources.tar_stream import TarStream
from wd14.data.sources.values import decode_text, first_line
from wd14.data.sources.walk import is_hidden
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
#: Headers that count for all members after them; `tarfile` collects them.
_MOST_GLOBAL_HEADERS = 100
_TEXT_EXTENSIONS = frozenset({".txt", ".caption", ".cls", ".json"})
#: Rows that are read to learn the columns.
_ROWS_TO_LEARN_FROM = 9

#: What `tarfile` and the decompressors raise for damaged bytes, and for numbers and chains of headers beyond measure.
_DAMAGE = (
    *(tarfile.TarError, OSError, EOFError, zlib.error, LZMAError),
    *(ValueError, OverflowError, LookupError, RecursionError, MemoryError),
)


class _NotAnArchiveError(UnreadableImageError):
    """A file that should be an archive and cannot be opened as one."""


class WebDataset(Layout):
    """The rows of tar archives, compressed or not, in the order of their members.

    The column `image` is the row's first picture; a member's own extension (`jpg`, `mask.png`) names it as well.
    `.txt` is the column `text`, `.caption` is `caption`, and the keys of `.json` are columns.

    Raises:
        SourceError: there is only one archive, and it cannot be opened.
    """

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self._root = root
        self._files = [(relative, split_of_file(relative) or "train") for relative in files]
        columns = {IMAGE_COLUMN: Column(IMAGE_COLUMN)}
        for _, row in zip(range(_ROWS_TO_LEARN_FROM), self._rows(files[0]), strict=False):
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
                for row in self._rows(relative):
                    yield row.raw_row(printable(relative), columns, split)

    def _rows(self, relative: str) -> Iterator[_TarRow]:
        row = _TarRow("")
        with contextlib.ExitStack() as opened:
            try:
                stream = opened.enter_context(TarStream(self._root / relative))
                archive = opened.enter_context(tarfile.TarFile(fileobj=stream))  # type: ignore[arg-type]
            except _DAMAGE as error:
                problem = f"it is not a tar archive, or not a whole one ({first_line(error)})"
                yield _TarRow("", error=_NotAnArchiveError(problem))
                return
            try:
                for member in _visible_members(archive, stream):
                    key, name = _split_name(member.name)
                    if row.key != key:
                        if row.has_members:
                            yield row
                        row = _TarRow(key)
                    row.add(stream, member, name)
                _check_end(stream)
            except _DAMAGE as error:
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
                self.picture, self.picture_column = base, name
                self.values[IMAGE_COLUMN] = value
            self.has_picture = True
        elif extension(base) in _TEXT_EXTENSIONS:
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
        return RawRow(f"{archive}: {printable(name)}" if name else archive, values, error, split=split)


def _visible_members(archive: tarfile.TarFile, stream: TarStream) -> Iterator[tarfile.TarInfo]:
    while member := _next_member(archive, stream):
        parts = set(member.name.split("/")) - {".", ".."}
        if not member.isdir() and not any(is_hidden(part) for part in parts):
            yield member


def _next_member(archive: tarfile.TarFile, stream: TarStream) -> tarfile.TarInfo | None:
    stream.begin_header()
    member = archive.next()
    archive.members.clear()  # type: ignore[attr-defined]  # tarfile's list of all members would grow without end
    if len(archive.pax_headers) > _MOST_GLOBAL_HEADERS:
        raise tarfile.ReadError(f"it has over {_MOST_GLOBAL_HEADERS} global headers")
    return member


def _split_name(name: str) -> tuple[str, str]:
    """The key of a member's row, and the member's own name in it: `a/b.mask.png` -> `a/b`, `mask.png`."""
    folder, slash, base = name.rpartition("/")
    key, _, rest = base.partition(".")
    return folder + slash + key, rest.lower()


def _check_end(stream: TarStream) -> None:
    """`tarfile` takes a damaged header for the end of the archive; the real end is a block of zeros.

    Raises:
        TarError: the archive does not end there.
    """
    block = stream.last_block
    if len(block) < tarfile.BLOCKSIZE or any(block):
        raise tarfile.ReadError("its end is missing")
