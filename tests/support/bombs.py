"""Small files that ask for much: gigabytes of memory, minutes of time, or a reader that waits for ever.

Each function makes a source in an empty folder and returns what the command line is to be given.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.support.encoded import encode, png, with_orientation

HOLE = 6 << 30
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Bomb:
    """A source that is made to hurt, and how a run on it may end."""

    make: Callable[[Path], Path]
    #: What is said about it, as a regular expression.
    says: str
    #: Whether the good pictures beside it are captioned; else the job fails with exit status 1 or 2.
    others_go_on: bool = True
    words: tuple[str, ...] = ()


def good(number: int = 0) -> bytes:
    """A picture that is fine."""
    return encode(Image.new("RGB", (40, 30), (number * 40 % 256, 120, 200)), "PNG")


def _beside(name: str, data: bytes) -> Callable[[Path], Path]:
    """A picture file beside a good one."""

    def make(folder: Path) -> Path:
        (folder / "good.png").write_bytes(good())
        (folder / name).write_bytes(data)
        return folder

    return make


def _many_scans(_: Path | None = None) -> bytes:
    data = encode(Image.new("L", (2000, 2000), 128), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 20_000 + data[-2:]


def hole(path: Path, size: int = HOLE, head: bytes = b"") -> None:
    """A file that claims gigabytes and takes no room."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def _with_hole(name: str, head: bytes = b"", *, with_picture: bool = True) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        if with_picture:
            (folder / "good.png").write_bytes(good())
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        hole(folder / name, head=head)
        return folder

    return make


def _with_pipe(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "good.png").write_bytes(good())
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(folder / name)
        return folder

    return make


def repeated_values(folder: Path, *, rows: int = 64, size: int = 150 * MEGABYTE) -> Path:
    """A Parquet file of some KB: one huge value that every row has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = pa.array([bytes(size), good()], pa.binary())
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows + [1], pa.int8()), values)
    pq.write_table(pa.table({"image": column}), folder / "a.parquet", compression="zstd")
    return folder


def repeated_values_in_arrow(folder: Path, *, rows: int = 64, size: int = 150 * MEGABYTE) -> Path:
    """The same in an Arrow file, compressed."""
    import pyarrow as pa

    values = pa.array([bytes(size), good()], pa.binary())
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows + [1], pa.int8()), values)
    table = pa.table({"image": column})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(folder / "a.arrow", table.schema, options=options) as writer:
        writer.write_table(table)
    return folder


def _member(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def huge_members(folder: Path, *, members: int = 40, size: int = 150 * MEGABYTE) -> Path:
    """A small `.tar.gz` of a good picture and huge ones. Gzip files may be put one behind another."""
    filling = gzip.compress(bytes(size), 1)
    with (folder / "a.tar.gz").open("wb") as file:
        file.write(gzip.compress(_member("good.png", len(good())) + good() + bytes(-len(good()) % 512)))
        for number in range(members):
            file.write(gzip.compress(_member(f"{number}.png", size)) + filling)
        file.write(gzip.compress(bytes(1024)))
    return folder


def some_huge_members(folder: Path) -> Path:
    """As `huge_members`, but not so many that the archive is not read to its end."""
    return huge_members(folder, members=12)


def many_members_of_a_row(folder: Path, *, members: int = 12, size: int = 150 * MEGABYTE) -> Path:
    """As `huge_members`, but all of them belong to one row."""
    filling = gzip.compress(bytes(size), 1)
    body = gzip.compress(good() + bytes(-len(good()) % 512), 1)
    with (folder / "a.tar.gz").open("wb") as file:
        for number in range(members):
            file.write(gzip.compress(_member(f"row.{number}.png", size)) + filling)
        file.write(gzip.compress(_member("good.png", len(good()))) + body + gzip.compress(bytes(1024)))
    return folder


def long_name(folder: Path, *, size: int = 4 << 30) -> Path:
    """A tar whose first header says that a name of 4 GiB follows."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, size
    hole(folder / "a.tar", 512 + size + 1024, info.tobuf(tarfile.GNU_FORMAT))
    return folder


def long_pax_header(folder: Path, *, size: int = 4 << 30) -> Path:
    """A tar whose first header says that 4 GiB of pax fields follow."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, size
    hole(folder / "a.tar", 512 + size + 1024, info.tobuf(tarfile.USTAR_FORMAT))
    return folder


def zip_of_zeros(folder: Path) -> Path:
    """A zip whose one picture would have 900 MB."""
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", good())
        with archive.open("zeros.png", "w", force_zip64=True) as file:
            for _ in range(900):
                file.write(bytes(MEGABYTE))
    return folder


def nested(depth: int) -> str:
    """JSON, nested that deep."""
    return "[" * depth + "1" + "]" * depth


def deep_metadata(folder: Path) -> Path:
    """A metadata file with rows nested 600 and 100,000 deep."""
    rows = []
    for number, depth in enumerate((600, 100_000, 0)):
        (folder / f"{number}.png").write_bytes(good(number))
        rows.append(f'{{"file_name": "{number}.png", "deep": {nested(depth)}}}')
    (folder / "metadata.jsonl").write_text("\n".join(rows), "utf-8")
    return folder


def deep_tar(folder: Path) -> Path:
    """A tar with a `.json` nested 600 deep."""
    texts = {"a.json": f'{{"deep": {nested(600)}}}'.encode(), "b.json": b"{}"}
    # The members of a row lie together.
    with tarfile.open(folder / "a.tar", "w") as archive:
        for key in "ab":
            for ending, data in (("png", good(ord(key))), ("json", texts[f"{key}.json"])):
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return folder


def deep_parquet(folder: Path) -> Path:
    """A Parquet file with a column of lists in lists, 600 deep where Arrow lets it be written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind: pa.DataType = pa.int8()
    value: object = 1
    for _ in range(600):
        kind, value = pa.list_(kind), [value]
    try:
        table = pa.table({"image": [good(), good(1)], "deep": pa.array([value, None], kind)})
        pq.write_table(table, folder / "a.parquet")
    except (pa.ArrowException, RecursionError):
        pq.write_table(pa.table({"image": [good(), good(1)]}), folder / "a.parquet")
    return folder


def wide_metadata(folder: Path) -> Path:
    """A metadata line with a hundred thousand keys."""
    (folder / "good.png").write_bytes(good())
    row = {"file_name": "good.png", **{f"key {number}": number for number in range(100_000)}}
    (folder / "metadata.jsonl").write_text(json.dumps(row), "utf-8")
    return folder


def _inflating_text(folder: Path) -> Path:
    """A PNG with a text chunk that inflates to a gigabyte."""
    compressor = zlib.compressobj(9)
    body = b"".join(compressor.compress(bytes(MEGABYTE)) for _ in range(1024)) + compressor.flush()
    chunk = b"zTXt" + b"key\0\0" + body
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = good()
    (folder / "text.png").write_bytes(data[:33] + chunk + data[33:])
    (folder / "good.png").write_bytes(data)
    return folder


def largest_picture(path: Path, side: int = 15_800) -> None:
    """A PNG of as many pixels and bytes as are allowed: not compressed, with transparency, lying on its side."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    compressor = zlib.compressobj(0)
    row = b"\0" + random.Random(1).randbytes(4 * side)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)))
        file.write(chunk(b"eXIf", with_orientation(6).tobytes().removeprefix(b"Exif\0\0")))
        for _ in range(side):
            if data := compressor.compress(row):
                file.write(chunk(b"IDAT", data))
        file.write(chunk(b"IDAT", compressor.flush()) + chunk(b"IEND", b""))


def _saved_dataset_with_hole(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import datasets

        datasets.Dataset.from_dict({"image": [{"bytes": good(), "path": None}]}).save_to_disk(str(folder / "train"))
        (folder / "dataset_dict.json").write_text('{"splits": ["train"]}', "utf-8")
        place = folder / name
        place.unlink()
        hole(place)
        return folder

    return make


def _saved_dataset_with_pipe(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        _saved_dataset_with_hole(name)(folder)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        return folder

    return make


_LIMIT = r"limit|longer than|larger than|over "
_NO_FILE = r"a pipe, socket or device"

#: Each of them by its name.
BOMBS: Mapping[str, Bomb] = {
    "a picture of 2,000,000 rows": Bomb(_beside("tall.png", png(1, 2_000_000, 8, 2, bytes(8_000_000))), ""),
    "a picture of 250,000,000 rows": Bomb(_beside("tall.png", png(1, 250_000_000, 8, 0, b"")), _LIMIT),
    "a JPEG of 20,000 scans": Bomb(_beside("scans.jpg", _many_scans()), "scans"),
    "a text that inflates": Bomb(_inflating_text, "text.png"),
    "a value that 64 rows share": Bomb(repeated_values, ""),
    "a value that 64 rows of an Arrow file share": Bomb(repeated_values_in_arrow, ""),
    "huge members of a tar": Bomb(some_huge_members, "not an image"),
    "more huge members of a tar": Bomb(huge_members, "100 times its own"),
    "huge members of one row": Bomb(many_members_of_a_row, "not an image"),
    "a name of 4 GiB in a tar": Bomb(long_name, "", others_go_on=False),
    "pax fields of 4 GiB in a tar": Bomb(long_pax_header, "", others_go_on=False),
    "zeros in a zip": Bomb(zip_of_zeros, ""),
    "a hole in metadata.csv": Bomb(_with_hole("metadata.csv", b"file_name\ngood.png\n"), _LIMIT),
    "a hole in metadata.jsonl": Bomb(_with_hole("metadata.jsonl", b'{"file_name": "good.png"}\n'), _LIMIT),
    "a hole in a caption": Bomb(_with_hole("good.txt"), "good.txt", others_go_on=False, words=("--append-tags",)),
    "a hole in dataset_dict.json": Bomb(_saved_dataset_with_hole("dataset_dict.json"), _LIMIT, others_go_on=False),
    "a hole in state.json": Bomb(_saved_dataset_with_hole("train/state.json"), _LIMIT, others_go_on=False),
    "a hole in a provenance.json": Bomb(_with_hole("old/.wd14/provenance.json"), ""),
    "a hole in a Parquet file": Bomb(_with_hole("a.parquet", b"PAR1", with_picture=False), "", others_go_on=False),
    "a hole in a tar": Bomb(_with_hole("a.tar", with_picture=False), "", others_go_on=False),
    "a hole in a zip": Bomb(_with_hole("a.zip", b"PK\3\4", with_picture=False), "", others_go_on=False),
    "a pipe in place of a provenance.json": Bomb(_with_pipe("old/.wd14/provenance.json"), ""),
    "a pipe in place of a picture": Bomb(_with_pipe("pipe.png"), _NO_FILE),
    "a pipe in place of a caption": Bomb(
        _with_pipe("good.txt"), _NO_FILE, others_go_on=False, words=("--append-tags",)
    ),
    "a pipe in place of metadata.jsonl": Bomb(_with_pipe("metadata.jsonl"), _NO_FILE),
    "a pipe in place of dataset_dict.json": Bomb(_with_pipe("dataset_dict.json"), ""),
    "a pipe in place of state.json": Bomb(_saved_dataset_with_pipe("train/state.json"), _NO_FILE, others_go_on=False),
    "rows of JSON nested 600 deep": Bomb(deep_metadata, "levels", words=("--keep-columns",)),
    "a tar of JSON nested 600 deep": Bomb(deep_tar, "levels", words=("--keep-columns",)),
    "lists in lists in a Parquet file": Bomb(
        deep_parquet, "a.parquet cannot be read", others_go_on=False, words=("--keep-columns",)
    ),
    "a hundred thousand columns": Bomb(wide_metadata, "", words=("--keep-columns",)),
}
