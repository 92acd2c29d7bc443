"""The members of a tar archive that make up rows, and where an archive may be cut."""

from __future__ import annotations

import tarfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from lzma import LZMAError

from wd14.data.sources.base import even_cuts
from wd14.data.sources.tar_stream import TarStream
from wd14.data.sources.walk import is_hidden
from wd14.images.formats import extension, is_picture
from wd14.images.reading import MAX_BYTES

#: Headers that count for all members after them; `tarfile` collects them.
_MOST_GLOBAL_HEADERS = 100
TEXT_EXTENSIONS = frozenset({".txt", ".caption", ".cls", ".json"})

#: What `tarfile` and the decompressors raise for damaged bytes, and for numbers and chains of headers beyond measure.
DAMAGE = (
    *(tarfile.TarError, OSError, EOFError, zlib.error, LZMAError),
    *(ValueError, OverflowError, LookupError, RecursionError, MemoryError),
)


def visible_members(archive: tarfile.TarFile, stream: TarStream, end: int = -1) -> Iterator[tarfile.TarInfo]:
    """The members that are no folders and not hidden.

    Args:
        archive: an open archive.
        stream: what it is read from.
        end: where to stop, at the latest before a member that begins there; -1 = at the archive's end.

    Raises:
        TarError: the archive breaks off, or is damaged.
    """
    while member := _next_member(archive, stream):
        if 0 <= end <= member.offset:
            return
        parts = set(member.name.split("/")) - {".", ".."}
        if not member.isdir() and not any(is_hidden(part) for part in parts):
            yield member
    if end < 0:
        _check_end(stream)
    elif stream.tell() < end:
        raise tarfile.ReadError("its end is missing")


def _next_member(archive: tarfile.TarFile, stream: TarStream) -> tarfile.TarInfo | None:
    stream.begin_header()
    member = archive.next()
    archive.members.clear()  # type: ignore[attr-defined]  # tarfile's list of all members would grow without end
    if len(archive.pax_headers) > _MOST_GLOBAL_HEADERS:
        raise tarfile.ReadError(f"it has over {_MOST_GLOBAL_HEADERS} global headers")
    return member


def _check_end(stream: TarStream) -> None:
    """`tarfile` takes a damaged header for the end of the archive; the real end is a block of zeros.

    Raises:
        TarError: the archive does not end there.
    """
    block = stream.last_block
    if len(block) < tarfile.BLOCKSIZE or any(block):
        raise tarfile.ReadError("its end is missing")


def split_name(name: str) -> tuple[str, str]:
    """The key of a member's row, and the member's own name in it: `a/b.mask.png` -> `a/b`, `mask.png`."""
    folder, slash, base = name.rpartition("/")
    key, _, rest = base.partition(".")
    return folder + slash + key, rest.lower()


def cut_archive(open_stream: Callable[[], TarStream], rows: int) -> Iterator[tuple[int, int, int | None]]:
    """Parts of an archive with about so many rows: the bytes that their members begin at, and how many rows.

    Only headers are read. A compressed archive is one part, of an unknown number of rows; so is one with headers that
    count for all members after them.
    """
    begins, failed = array("q"), 0
    try:
        with open_stream() as stream:
            if stream.is_packed:
                yield 0, -1, None
                return
            with tarfile.TarFile(fileobj=stream) as archive:  # type: ignore[arg-type]
                failed = _find_rows(archive, stream, begins)
                can_be_cut = not archive.pax_headers
    except DAMAGE:
        yield 0, -1, 1
        return
    cuts = list(even_cuts(len(begins), rows if can_be_cut else max(1, len(begins))))
    for first, last in cuts:
        is_last = last == len(begins)
        yield (
            begins[first] if first else 0,
            -1 if is_last else begins[last],
            last - first + (failed if is_last else 0),
        )


def _find_rows(archive: tarfile.TarFile, stream: TarStream, begins: array[int]) -> int:
    """Collects where rows begin; returns 1 where a failed row ends them, since the archive breaks off."""
    key, begin, is_counted, has_picture = "", 0, False, False
    try:
        for member in visible_members(archive, stream):
            row, _ = split_name(member.name)
            if row != key:
                key, begin, is_counted, has_picture = row, member.offset, False, False
            base = member.name.rpartition("/")[2]
            if not is_picture(base) and extension(base) not in TEXT_EXTENSIONS:
                continue
            if not is_counted:
                begins.append(begin)
                is_counted = True
            has_picture = has_picture or (is_picture(base) and _is_whole(member, stream))
    except DAMAGE:
        if is_counted and not has_picture:
            begins.pop()
        return 1
    return 0


def _is_whole(member: tarfile.TarInfo, stream: TarStream) -> bool:
    """Whether what is read of a member is in the archive; of links and what is too large nothing is read."""
    is_read = member.isreg() and not member.issparse() and member.size <= MAX_BYTES
    return not is_read or member.offset_data + member.size <= stream.size
