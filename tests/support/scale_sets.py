"""Large sets of small distinct pictures, quick to make: folders, tars and Parquet files of them."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.support.sources import photo

_SIDE = 16
#: Where a JPEG's comment is put: behind its first two bytes.
_COMMENT = b"\xff\xfe"


def tiny_png(number: int) -> bytes:
    """A PNG of 16x16, of one colour for each number below 2**24; about 30 µs each."""
    colour = struct.pack(">I", number * 40503 & 0xFFFFFF)[1:]
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + colour * _SIDE) * _SIDE, 1)
    parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiny_jpeg(number: int) -> bytes:
    """A JPEG of 64x43, one of 40 photographs with another comment for each number: distinct bytes, few µs each."""
    data, comment = photo("JPEG", number % 40), f"{number}".encode()
    return data[:2] + _COMMENT + struct.pack(">H", 2 + len(comment)) + comment + data[2:]


def tiny_picture(number: int) -> tuple[str, bytes]:
    """A name and a picture: PNG, every fourth JPEG."""
    kind, data = ("jpg", tiny_jpeg(number)) if number % 4 == 3 else ("png", tiny_png(number))
    return f"{number:08d}.{kind}", data


def picture_folder(folder: Path, pictures: int, *, of_a_folder: int = 1000, first: int = 0) -> Path:
    """Pictures in subfolders of so many each."""
    for number in range(first, first + pictures):
        inner = folder / f"{number // of_a_folder:05d}"
        if number % of_a_folder == 0 or number == first:
            inner.mkdir(parents=True, exist_ok=True)
        name, data = tiny_picture(number)
        (inner / name).write_bytes(data)
    return folder


def tar_files(
    folder: Path, pictures: int, *, of_a_tar: int = 1000, first: int = 0, captions: bool = False, mode: str = "w"
) -> Path:
    """Tar archives `00000.tar`, … of so many pictures each, with a text beside each where captions are wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = {"w": "", "w:gz": ".gz"}[mode]
    for begin in range(first, first + pictures, of_a_tar):
        end = min(begin + of_a_tar, first + pictures)
        with tarfile.open(folder / f"{begin // of_a_tar:05d}.tar{suffix}", mode, format=tarfile.USTAR_FORMAT) as tar:  # type: ignore[call-overload]
            for name, data in map(tiny_picture, range(begin, end)):
                _add(tar, name, data)
                if captions:
                    _add(tar, f"{name.partition('.')[0]}.txt", f"caption of {name}".encode())
    return folder


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def parquet_files(
    folder: Path,
    pictures: int,
    *,
    of_a_file: int = 10_000,
    of_a_group: int = 1000,
    first: int = 0,
    captions: bool = False,
) -> Path:
    """Parquet files `00000.parquet`, … as `datasets` writes them: a column `image` of bytes and path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for begin in range(first, first + pictures, of_a_file):
        rows = list(map(tiny_picture, range(begin, min(begin + of_a_file, first + pictures))))
        columns: dict[str, object] = {"image": [{"bytes": data, "path": name} for name, data in rows]}
        if captions:
            columns["text"] = [f"caption of {name}" for name, _ in rows]
        pq.write_table(pa.table(columns), folder / f"{begin // of_a_file:05d}.parquet", row_group_size=of_a_group)
    return folder


def mixed_sets(folder: Path, pictures: int) -> Iterator[Path]:
    """The same number of pictures in tars and in Parquet files, all distinct."""
    yield tar_files(folder / "tars", pictures)
    yield parquet_files(folder / "tables", pictures, first=pictures)
