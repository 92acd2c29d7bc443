"""WebDataset archives: the members of a row share their name up to the first dot."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from lzma import LZMAError
from pathlib import Path
from typing import Any

from wd14.data.sources.base import IMAGE_COLUMN, Column, RawRow
from wd14.data.sources.confinement import is_hidden
from wd14.data.sources.input_rows import decode_text
from wd14.data.sources.splits import in_usual_order, split_of_file
from wd14.errors import (
    DamagedImageError,
    ImageTooLargeError,
    MissingImageError,
    RowError,
    SourceError,
    UnreadableImageError,
)
from wd14.images.formats import extension, is_picture
from wd14.text import printable

#: A member is held in memory whole; a header can claim any size.
_LARGEST_MEMBER = 1 << 30
_LARGEST_TEXT = 16 << 20
_TEXT_ENDINGS = frozenset({".txt", ".caption", ".cls"})
#: Rows that are looked at to say which columns there are.
_LOOKED_AT = 8

_DAMAGE = (tarfile.TarError, OSError, EOFError, zlib.error, LZMAError)


class WebDataset:
    """The rows of tar archives, compressed or not, in the order of their members.

    The column `image` is the row's first member that is a picture; a member's own ending (`jpg`, `mask.png`) names it
    as well. `.txt` is the column `text`, `.caption` is `caption`, and the keys of `.json` are columns.

    Raises:
        SourceError: there is one archive, and it cannot be opened.
    """

    loose_rows = 0

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self._root = root
        self._files = [(relative, split_of_file(relative) or "train") for relative in files]
        columns = {IMAGE_COLUMN: Column(IMAGE_COLUMN)}
        for number, row in enumerate(self._rows(files[0])):
            if len(files) == 1 and isinstance(row.error, _NoArchiveError):
                raise SourceError(f"{printable(files[0])}: {row.error}")
            for name in row.values:
                columns.setdefault(name, _column(name, row))
            if number >= _LOOKED_AT:
                break
        self.columns: Sequence[Column] = tuple(columns.values())
        self.splits: Mapping[str, int | None] = in_usual_order({split: None for _, split in self._files})

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows; an archive that breaks off gives those before the break and one that says so."""
        for relative, split in self._files:
            if split in splits:
                for row in self._rows(relative):
                    yield row.record(printable(relative), columns)

    def _rows(self, relative: str) -> Iterator[_Row]:
        row: _Row | None = None
        try:
            archive = tarfile.open(self._root / relative, "r:*")  # noqa: SIM115 - closed below, its errors apart
        except _DAMAGE:
            yield _Row("", error=_NoArchiveError("it is no tar archive, or not a whole one"))
            return
        with archive:
            try:
                for member in _members(archive):
                    key, _, suffix = _split_name(member.name)
                    if row is None or row.key != key:
                        if row is not None and row.is_sample:
                            yield row
                        row = _Row(key)
                    row.add(archive, member, suffix)
                _check_end(archive)
            except _DAMAGE as error:
                problem = DamagedImageError(f"the archive breaks off or is damaged: {_first_line(error)}")
                if row is not None and row.is_complete:
                    yield row
                yield _Row("", error=problem)
                return
        if row is not None and row.is_sample:
            yield row


def _column(name: str, row: _Row) -> Column:
    if not is_picture("x." + name):
        return Column(name)
    # The first picture goes by two names, `image` and its ending; another one is a column of its own.
    return Column(name, "" if name == row.suffix else "picture", can_be_json=False)


class _NoArchiveError(UnreadableImageError):
    """A file that should be an archive and cannot be opened as one."""


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0])


@dataclass(slots=True)
class _Row:
    key: str
    values: dict[str, Any] = field(default_factory=dict)
    name: str = ""  #: of the first picture
    suffix: str = ""  #: of the first picture
    error: RowError | None = None
    is_sample: bool = False  #: whether any member belongs to a row; a README does not
    is_complete: bool = False  #: whether the picture was read to its end

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo, suffix: str) -> None:
        base = member.name.rpartition("/")[2]
        if is_picture(base):
            self.is_sample = True
            try:
                cell: Any = {"bytes": _content(archive, member, _LARGEST_MEMBER), "path": base}
            except RowError as problem:
                cell = problem
            self.values[suffix] = cell
            if not self.name:
                self.name, self.suffix = base, suffix
                self.values[IMAGE_COLUMN] = cell
            self.is_complete = True
        elif extension(base) in _TEXT_ENDINGS or extension(base) == ".json":
            self.is_sample = True
            self._add_text(archive, member, extension(base), suffix)

    def _add_text(self, archive: tarfile.TarFile, member: tarfile.TarInfo, kind: str, suffix: str) -> None:
        try:
            text = decode_text(_content(archive, member, _LARGEST_TEXT))
            if kind == ".json":
                described = json.loads(text)
                columns = described if isinstance(described, dict) else {suffix: described}
                self.values = {**columns, **self.values}
            else:
                self.values["text" if suffix == "txt" else suffix] = text
        except (RowError, ValueError, RecursionError) as problem:
            self.error = self.error or UnreadableImageError(f"{printable(member.name)}: {printable(str(problem))}")

    def record(self, archive: str, columns: Collection[str]) -> RawRow:
        where = f"{archive}: {printable(self.name or self.key)}" if self.key or self.name else archive
        error = self.error
        if error is None and not self.name:
            error = MissingImageError("the row has no member that is a picture")
        values = {name: value for name, value in self.values.items() if name in columns}
        return RawRow(where, values, error)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members that are not hidden, one at a time."""
    for member in archive:
        archive.members.clear()  # type: ignore[attr-defined]  # a list of all members, which nobody needs
        parts = set(member.name.split("/")) - {".", ".."}
        if not member.isdir() and not any(is_hidden(part) for part in parts):
            yield member


def _split_name(name: str) -> tuple[str, str, str]:
    """The key of a member's row, a dot, and the rest: `a/b.mask.png` -> `a/b`, `mask.png`."""
    folder, slash, base = name.rpartition("/")
    key, dot, suffix = base.partition(".")
    return folder + slash + key, dot, suffix.lower()


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, largest: int) -> bytes:
    if not member.isreg():
        raise UnreadableImageError("it is a link or a device in the archive, not a file")
    if member.size > largest:
        raise ImageTooLargeError(f"{member.size:,} bytes, over the limit of {largest:,}")
    reading = archive.extractfile(member)
    if reading is None:
        raise UnreadableImageError("it is no file in the archive")
    with reading:
        data = reading.read()
    if len(data) != member.size:
        raise tarfile.ReadError("unexpected end of data")
    return data


def _check_end(archive: tarfile.TarFile) -> None:
    """`tarfile` takes a header that it cannot read for the end; the end is a block of zeros.

    Raises:
        TarError: the archive does not end there.
    """
    stream: Any = archive.fileobj
    stream.seek(archive.offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE or any(block):
        raise tarfile.ReadError("its end is missing")
