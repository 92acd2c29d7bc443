"""Zip archives give what the folder gives that they were made of; no archive does harm."""

from __future__ import annotations

import json
import stat
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.sources import Seen, photo, put, read
from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.data.sources import zip_files
from wd14.errors import EmptySourceError, SourceError
from wd14.images.reading import read_picture


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """An archive of these members."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def pack_folder(folder: Path, path: Path, top: str = "") -> Path:
    """An archive of a folder's files, or with `top` of the folder itself, as other programs make them: with junk."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*"), reverse=True):  # in no useful order
            archive.write(file, top + file.relative_to(folder).as_posix())
        archive.writestr(f"__MACOSX/{top}._a.png", b"\0\5\x16\7")
        archive.writestr(f"{top}.DS_Store", b"\0")
    return path


def make_plain(folder: Path) -> None:
    for number, name in enumerate(["b.png", "a.jpg", "sub/deep/c.webp", "sub.png", "sub/a.jpg", "Ä.png"]):
        put(folder / name, number)
    (folder / "a.txt").write_text("1girl, solo\n")
    (folder / "sub/deep/c.txt").write_text("landscape", encoding="utf-16")
    (folder / "b.txt").write_bytes(b"\xff no text")
    (folder / "film.mp4").write_bytes(b"film")
    (folder / "empty.png").mkdir()


def make_splits(folder: Path) -> None:
    for number, name in enumerate(["train/a.png", "train/b.png", "val/c.png", "test/d.png"]):
        put(folder / name, number)


def make_metadata(folder: Path) -> None:
    for number, name in enumerate(["a.png", "pictures/b.png", "pictures/c.png", "unlisted.png"]):
        put(folder / name, number)
    (folder / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "text": "1girl"}\n{"file_name": "../out.png"}\nbad\n'
    )
    rows = "\ufefffile_name;text\nb.png;solo\nsub\\..\\c.png;x\n./c.png;y\nnone.png;z\n"
    (folder / "pictures/metadata.csv").write_text(rows, encoding="utf-8")


def make_metadata_of_splits(folder: Path) -> None:
    for split in ("train", "test"):
        put(folder / split / "a.png")
        (folder / split / "metadata.jsonl").write_text(f'{{"file_name": "a.png", "caption": "{split}"}}\n')


def said(seen: Seen) -> dict[str, Any]:
    """Everything that reading gave but the place of the pictures' bytes."""
    bytes_of = [read_picture(row) if row.error is None else b"" for row in seen.rows]
    columns = [row.columns for row in seen.rows]
    rest = (seen.total, seen.columns, seen.names, seen.sources, seen.captions)
    failed = {source: reason.replace(" in the archive:", ":") for source, reason in seen.failed.items()}
    return {"rest": rest, "failed": failed, "log": seen.log, "columns": columns, "bytes": bytes_of}


@pytest.mark.parametrize("split", ["", "all", "test"])
@pytest.mark.parametrize("top", ["", "pictures/"])
@pytest.mark.parametrize("make", [make_plain, make_splits, make_metadata, make_metadata_of_splits])
def test_an_archive_gives_what_its_folder_gives(tmp_path: Path, make: Any, top: str, split: str) -> None:
    folder = tmp_path / "pictures"
    make(folder)
    if split == "test" and not (folder / "test").exists():
        return
    settings: dict[str, Any] = {"split": split, "append_tags": True, "keep_columns": True}
    expected = said(read(folder, **settings))
    alone = read(pack_folder(folder, tmp_path / "pictures.zip", top), **settings)
    assert (alone.name, said(alone)) == ("pictures", expected)
    assert all(row.path is None for row in alone.rows)

    uploaded = tmp_path / "uploaded"
    uploaded.mkdir()
    (tmp_path / "pictures.zip").rename(uploaded / "other.ZIP")
    (uploaded / "index.json").write_text("{}")
    inside = read(uploaded, **settings)
    assert (inside.name, said(inside)) == ("uploaded", expected)


def test_several_archives_are_folders_of_their_names(tmp_path: Path) -> None:
    pack(tmp_path / "b.zip", {"x/1.png": photo("PNG")})
    pack(tmp_path / "a.zip", {"2.png": photo("PNG"), "1.png": photo("PNG")})
    assert read(tmp_path).sources == ["a/1.png", "a/2.png", "b/x/1.png"]

    splits = tmp_path / "splits"
    splits.mkdir()
    pack(splits / "train.zip", {"train/1.png": photo("PNG")})
    pack(splits / "test.zip", {"2.png": photo("PNG"), "3.png": photo("PNG")})
    assert read(splits).names == ["1.png"]
    assert read(splits, split="test").names == ["2.png", "3.png"]
    assert read(pack(tmp_path / ".hidden.zip", {"1.png": photo("PNG")})).names == ["1.png"]
    (splits / "train.zip").unlink()
    assert read(splits, split="test").total == 2, "one archive named as a split is that split"


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    nested = pack(tmp_path / "n.zip", {"x.png": photo("PNG")}).read_bytes()
    pack(tmp_path / "set.zip", {"a.png": photo("PNG"), "more.zip": nested, "b.parquet": b"PAR1", "c.mp4": b"film"})
    seen = read(tmp_path / "set.zip")
    assert seen.names == ["a.png"]
    assert [line for line in seen.log if line.startswith("Left out")] == [
        "Left out: 1 table beside the pictures (such as b.parquet)",
        "Left out: 1 archive beside the pictures (such as more.zip)",
        "Left out: 1 other file (.mp4 1)",
    ]
    put(tmp_path / "z.png")
    seen = read(tmp_path)
    assert seen.names == ["z.png"]
    assert "Left out: 2 archives beside the pictures (such as n.zip)" in seen.log
    pack(tmp_path / "other.zip", {"x/inner.zip": nested})
    with pytest.raises(EmptySourceError, match=r"other\.zip holds no picture; .* inner\.zip\) is read when you unpack"):
        read(tmp_path / "other.zip")
    pack(tmp_path / "empty.zip", {})
    with pytest.raises(EmptySourceError, match=r"empty\.zip holds no picture"):
        read(tmp_path / "empty.zip")


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "a/../../secret.png",
        "..\\secret.png",
        "/secret.png",
        "C:\\secret.png",
        "a.png\0.exe",
        "a/" * 2100,
    ],
)
def test_a_path_that_no_folder_could_hold_refuses_the_archive(tmp_path: Path, name: str) -> None:
    put(tmp_path / "secret.png")
    (tmp_path / "sub").mkdir()
    path = pack(tmp_path / "sub/a.zip", {"good.png": photo("PNG")})
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        archive.writestr(info, photo("PNG"))
    with pytest.raises(SourceError, match=r"^a\.zip: it names .*the archive is not read"):
        read(path)


@pytest.fixture
def with_link(tmp_path: Path) -> Path:
    """An archive with a picture and a link that leads out."""
    path = pack(tmp_path / "a.zip", {"a.png": photo("PNG")})
    link = zipfile.ZipInfo("l.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, str(put(tmp_path / "secret.png")))
    return path


def test_a_link_is_no_picture(with_link: Path) -> None:
    assert read(with_link, follow_symlinks=True).failed == {
        "l.png": "UnreadableImageError: l.png is a link in the archive, not a file"
    }


def test_rows_lead_nowhere_else(with_link: Path) -> None:
    secret = with_link.with_name("secret.png")
    with zipfile.ZipFile(with_link, "a") as archive:
        lines = [json.dumps({"file_name": name}) for name in ("l.png", str(secret), "d")]
        archive.writestr("metadata.jsonl", "\n".join(lines))
        archive.writestr("d/x.png", photo("PNG"))
    seen = read(with_link)
    assert list(seen.failed.values()) == [
        "UnreadableImageError: l.png is a link in the archive, not a file",
        f"UnreadableImageError: {secret} is an absolute path; a row must name a file by its relative path",
        "UnreadableImageError: d is a folder, not a file",
    ]


def test_names_as_other_systems_write_them(tmp_path: Path) -> None:
    pack(tmp_path / "a.zip", {"sub\\a.png": photo("PNG"), "sub\\a.txt": b"solo", "A.png": photo("PNG"), "a.png": b"x"})
    seen = read(tmp_path / "a.zip", append_tags=True)
    assert seen.sources == ["A.png", "a.png", "sub/a.png"], "names that differ in case only are two pictures"
    assert seen.captions == [None, None, "solo"]

    data = pack(tmp_path / "mac.zip", {"\u00e9x.png": photo("PNG")}).read_bytes()
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # macOS does not set the flag of UTF-8 names
        at = data.index(signature) + place
        data = data[:at] + bytes(2) + data[at + 2 :]
    (tmp_path / "mac.zip").write_bytes(data)
    assert read(tmp_path / "mac.zip").names == ["\u00e9x.png"]


def changed(data: bytes, member: str, place: int, value: bytes) -> bytes:
    """An archive with some bytes of a member's entry in the list of members replaced."""
    at = data.index(b"PK\1\2")
    while data[at + 46 : at + 46 + len(member)] != member.encode():
        at = data.index(b"PK\1\2", at + 4)
    return data[: at + place] + value + data[at + place + len(value) :]


FLAGS, CHECKSUM, PACKED_SIZE, SIZE, OFFSET = 8, 16, 20, 24, 42


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (FLAGS, b"\1", "it is encrypted: make the archive again without a password"),
        (CHECKSUM, b"\0\0\0\0", "its size or checksum is wrong"),
        (SIZE, b"\1\0\0\0", "its size or checksum is wrong"),
        (SIZE, b"\0\0\0\1", "its size or checksum is wrong"),
        (PACKED_SIZE, b"\1\0\0\0", "its size or checksum is wrong"),
        (OFFSET, b"\7\0\0\0", "its beginning is not where the archive says"),
        (OFFSET, b"\0\0\0\x7f", "it cannot be unpacked"),
    ],
)
def test_a_damaged_member_fails_alone(tmp_path: Path, place: int, value: bytes, reason: str) -> None:
    path = pack(tmp_path / "a.zip", {name: photo("PNG") for name in ("a.png", "b.png", "c.png")})
    path.write_bytes(changed(path.read_bytes(), "b.png", place, value))
    seen = read(path)
    assert (seen.names, list(seen.failed)) == (["a.png", "b.png", "c.png"], ["b.png"])
    assert reason in seen.failed["b.png"]


def test_unusual_compression_fails_alone(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": photo("PNG")})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("b.png", photo("PNG"))
    assert read(path).failed == {
        "b.png": "UnreadableImageError: it is compressed by method 14, expected 0 (stored) or 8 (deflated):"
        " make the archive again as an ordinary .zip"
    }


def test_a_damaged_caption_or_metadata_file_is_said(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": photo("PNG"), "a.txt": b"solo"})
    path.write_bytes(changed(path.read_bytes(), "a.txt", CHECKSUM, b"\0\0\0\0"))
    assert "its caption file a.txt cannot be read: it is damaged" in read(path, append_tags=True).failed["a.png"]
    pack(path, {"a.png": photo("PNG"), "metadata.csv": b"file_name\na.png\n"})
    path.write_bytes(changed(path.read_bytes(), "metadata.csv", FLAGS, b"\1"))
    with pytest.raises(SourceError, match=r"metadata\.csv cannot be read: it is encrypted"):
        read(path)


def test_an_archive_that_is_not_whole(tmp_path: Path) -> None:
    whole = pack(tmp_path / "a.zip", {f"{number}.png": photo("PNG", number) for number in range(20)}).read_bytes()
    for data in (b"", b"PK", b"no archive at all" * 100, whole[:-1], whole[: len(whole) // 2], whole[-400:]):
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises(SourceError, match=r"^a\.zip: it is no zip archive, or is cut short \(.*copy it again"):
            read(tmp_path / "a.zip")


def test_the_archive_goes_away(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": photo("PNG"), "b.png": photo("PNG")})
    with open_source(path, CaptionConfig()) as source:
        rows = iter(source)
        assert next(rows).error is None
        path.unlink()  # no file is held open, on Windows either
        assert "the archive cannot be read: No such file" in str(next(rows).error)


# ── Archives that are made to do harm ───────────────────────────────────────────────────────────────────────────────


def overlapping(count: int, packed: bytes, checksum: int, declared: int) -> bytes:
    """An archive whose members are all the same bytes, as in the bombs of David Fifield, with its declared sizes."""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, checksum, len(packed), declared, 0, 0)
    entries = b""
    for number in range(count):
        name = b"%06d.png" % number
        entries += struct.pack(
            "<4s4B4H3L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 8, 0, 0, 0, len(packed), declared, len(name), 0, 0, 0, 0, 0, 0
        )
        entries += name
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(entries), len(local) + len(packed), 0)
    return local + packed + entries + end


def deflated(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(bytes(size)) + packer.flush()


def test_bombs_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    size = 100_000_000
    packed, checksum = deflated(size), zlib.crc32(bytes(size))
    path = tmp_path / "bomb.zip"
    path.write_bytes(overlapping(100, packed, checksum, size))
    started = time.monotonic()
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"^bomb\.zip: its members overlap"):
        read(path)
    path.write_bytes(overlapping(1, packed, checksum, 0xFFFFFFFE))
    with pytest.raises(SourceError, match=r"4,294,967,294 bytes unpacked, over 100 times its own"):
        read(path)
    path.write_bytes(overlapping(1, packed, checksum, 1000))  # says less than there is
    assert "its size or checksum is wrong" in read(path).failed["000000.png"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert time.monotonic() - started < 5


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": photo("PNG"), "b/c/d.png": photo("BMP")})
    monkeypatch.setattr(zip_files, "MAX_BYTES", 8000)
    assert list(read(path).failed) == ["b/c/d.png"]
    assert "ImageTooLargeError: 8,3" in read(path).failed["b/c/d.png"]
    monkeypatch.setattr(zip_files, "_MOST_MEMBERS", 5)
    assert read(path).total == 2
    monkeypatch.setattr(zip_files, "_MOST_MEMBERS", 4)
    with pytest.raises(SourceError, match="more than 4 files and folders"):
        read(path)
    monkeypatch.setattr(zip_files, "_MOST_MEMBERS", 1)
    with pytest.raises(SourceError, match="more than 1 members"):
        read(path)
    monkeypatch.setattr(zip_files, "_LARGEST_DIRECTORY", 80)
    with pytest.raises(SourceError, match=r"its list of members has \d+ bytes; the limit is 80"):
        read(path)


def test_mutated_archives_have_typed_outcomes_only(tmp_path: Path) -> None:
    random = Random(7)
    whole = pack(
        tmp_path / "a.zip",
        {
            "x/a.png": photo("PNG"),
            "x/a.txt": b"solo",
            "x/b/c.png": photo("PNG", 1),
            "x/metadata.csv": b"file_name\na.png\n",
        },
    ).read_bytes()
    directory = whole.index(b"PK\1\2")
    outcomes = set()
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(random.randint(1, 4)):
            data[random.randrange(directory, len(data))] = random.choice((0, 1, 0x7F, 0xFF, random.randrange(256)))
        (tmp_path / "b.zip").write_bytes(data)
        try:
            outcomes.add(f"rows, {len(read(tmp_path / 'b.zip', append_tags=True).failed)} failed")
        except SourceError as error:
            outcomes.add(type(error).__name__)
    assert "rows, 0 failed" in outcomes
    assert "rows, 1 failed" in outcomes
    assert "SourceError" in outcomes
