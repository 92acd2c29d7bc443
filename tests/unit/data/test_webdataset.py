"""WebDataset archives, whole and damaged."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.sources import photo, read
from wd14.data.sources import tar_members, tar_stream, webdataset
from wd14.data.sources.tar_stream import TarStream
from wd14.errors import SourceError
from wd14.images.reading import read_picture


def pack(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def rows(count: int) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for number in range(count):
        members[f"./part/{number:03d}.jpg"] = photo("JPEG", number)
        members[f"./part/{number:03d}.txt"] = f"text {number}\n".encode()
        members[f"./part/{number:03d}.json"] = json.dumps({"id": number}).encode()
    return members


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tar.xz", "w:xz")])
def test_rows_share_their_name_up_to_the_first_dot(tmp_path: Path, name: str, mode: str) -> None:
    pack(tmp_path / name, rows(3), mode)
    for source in (tmp_path / name, tmp_path):
        seen = read(source, append_tags=True, keep_columns=True)
        assert seen.names == ["000.jpg", "001.jpg", "002.jpg"]
        assert seen.captions == ["text 0", "text 1", "text 2"]
        assert seen.rows[2].columns == {"text": "text 2\n", "id": 2}
        assert [read_picture(row) for row in seen.rows] == [photo("JPEG", number) for number in range(3)]
        assert (seen.failed, seen.log, seen.total) == ({}, [], None)
    assert read(tmp_path / name).name == "a"


def test_several_pictures_in_a_row(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", {"x.jpg": photo("JPEG", 0), "x.mask.png": photo("PNG", 1), "y.png": photo("PNG", 2)})
    assert read(tmp_path / "a.tar").names == ["x.jpg", "y.png"]
    seen = read(tmp_path / "a.tar", image_field="mask.png")
    assert read_picture(seen.rows[0]) == photo("PNG", 1)
    assert seen.rows[0].name == "x.mask.png"
    assert seen.rows[1].error is not None, "a row without that picture"


def test_what_members_mean(tmp_path: Path) -> None:
    members = {
        "one/a.JPG": photo("JPEG", 0),
        "one/a.json": b'{"text": "of the object", "n": 1, "jpg": "not the picture"}',
        "one/a.txt": b"of the file",
        "one/a.note.txt": b"a note",
        "one/a.cls": b"7",
        "one/a.more.json": b"[1]",
        "two/a.jpg": photo("JPEG", 1),
    }
    first, second = read(pack(tmp_path / "a.tar", members), keep_columns=True).rows
    assert first.columns == {"text": "of the file", "n": 1, "note.txt": "a note", "cls": "7", "more.json": [1]}
    assert [read_picture(row) for row in (first, second)] == [photo("JPEG", 0), photo("JPEG", 1)]
    assert [row.name for row in read(tmp_path / "a.tar", image_field="jpg").rows] == ["a.JPG", "a.jpg"]


def test_members_are_not_collected(tmp_path: Path) -> None:
    """`tarfile` keeps a list of all members, which would grow with the archive."""
    pack(tmp_path / "a.tar", rows(50))
    with TarStream.at(tmp_path / "a.tar") as stream, tarfile.TarFile(fileobj=stream) as archive:  # type: ignore[arg-type]
        lengths = [len(archive.__dict__["members"]) for _ in tar_members.visible_members(archive, stream)]
    assert lengths == [0] * 150


def test_folders_of_archives_and_their_splits(tmp_path: Path) -> None:
    pack(tmp_path / "train-00000.tar", {"a.jpg": photo()})
    pack(tmp_path / "train-00001.tar", {"a.jpg": photo("JPEG", 1)})
    pack(tmp_path / "val-00000.tar", {"b.jpg": photo()})
    assert read(tmp_path).sources == ["train-00000.tar: a.jpg", "train-00001.tar: a.jpg"]
    assert read(tmp_path, split="validation").names == ["b.jpg"]


def test_a_row_without_a_picture_fails_and_a_readme_does_not(tmp_path: Path) -> None:
    members = {"README.md": b"hello", "a.txt": b"alone", "b.jpg": photo(), "c.jpg": photo(), "c.json": b"{broken"}
    pack(tmp_path / "a.tar", {**members, "._b.jpg": b"x", "__MACOSX/b.jpg": b"x"})
    seen = read(tmp_path / "a.tar")
    assert seen.failed.keys() == {"a.tar: a", "a.tar: c.jpg"}
    assert seen.names[1] == "b.jpg"


def test_links_and_devices_in_an_archive_are_not_opened(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind, name in ((tarfile.SYMTYPE, "a.jpg"), (tarfile.LNKTYPE, "b.jpg"), (tarfile.CHRTYPE, "c.jpg")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        member = tarfile.TarInfo("../../up.jpg")
        member.size = len(photo())
        archive.addfile(member, io.BytesIO(photo()))
    seen = read(tmp_path / "a.tar")
    assert len(seen.failed) == 3
    assert (seen.names[3], read_picture(seen.rows[3])) == ("up.jpg", photo())


def test_a_truncated_archive_gives_the_rows_so_far_and_says_so(tmp_path: Path) -> None:
    raw = pack(tmp_path / "whole.tar", {f"{n}.jpg": photo("JPEG", n) for n in range(4)}).read_bytes()
    size = 512 + (len(photo("JPEG", 0)) + 511) // 512 * 512
    for cut in range(size + 100, 3 * size, 377):
        (tmp_path / "cut.tar").write_bytes(raw[:cut])
        seen = read(tmp_path / "cut.tar")
        *good, last = seen.rows
        assert last.error is not None
        assert all(read_picture(row) == photo("JPEG", number) for number, row in enumerate(good))


def test_a_truncated_compressed_archive(tmp_path: Path) -> None:
    raw = pack(tmp_path / "a.tar.gz", rows(20), "w:gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(raw[: len(raw) // 2])
    seen = read(tmp_path / "a.tar.gz")
    assert 1 < len(seen.rows) < 21
    assert len(seen.failed) == 1


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    raw = bytearray(pack(tmp_path / "a.tar", {f"{n}.jpg": photo("JPEG", 0) for n in range(4)}).read_bytes())
    size = 512 + (len(photo()) + 511) // 512 * 512
    raw[2 * size + 100] ^= 0xFF
    (tmp_path / "a.tar").write_bytes(raw)
    seen = read(tmp_path / "a.tar")
    assert seen.names[:2] == ["0.jpg", "1.jpg"]
    assert len(seen.rows) == 3
    assert seen.rows[2].error is not None


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError, match=r"a\.tar"):
        read(tmp_path / "a.tar")
    pack(tmp_path / "b.tar", {"b.jpg": photo()})
    seen = read(tmp_path)
    assert (list(seen.failed), seen.names[-1]) == (["a.tar"], "b.jpg")


def test_a_claimed_size_costs_no_memory(tmp_path: Path) -> None:
    member = tarfile.TarInfo("a.jpg")
    member.size = 1 << 40
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + photo())
    seen = read(tmp_path / "a.tar")
    assert all(row.error is not None for row in seen.rows)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A member's header; a size that the field cannot hold in octal digits is written as GNU tar does."""
    member = tarfile.TarInfo(name)
    raw = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    raw[124:136] = (size % 256**12 | 0x80 << 88 if size >= 0 else size % 256**12).to_bytes(12, "big")
    raw[156:157] = kind
    raw[148:156] = b"%06o\0 " % (sum(raw[:148]) + sum(b" " * 8) + sum(raw[156:512]))
    return bytes(raw)


def pax_headers(count: int) -> bytes:
    headers = (tarfile.TarInfo.create_pax_global_header({f"key{n}": "x" * 5000}) for n in range(count))
    return b"".join(headers)


def sparse_header() -> bytes:
    """Of a file with more holes than it has blocks: each block of the list says that another one follows."""
    raw = bytearray(header("b.jpg", 0, tarfile.GNUTYPE_SPARSE))
    raw[482] = 1
    raw[148:156] = b"%06o\0 " % (sum(raw[:148]) + sum(b" " * 8) + sum(raw[156:512]))
    return bytes(raw) + (bytes(504) + b"\x01" + bytes(7)) * 5000


@pytest.mark.parametrize(
    "hostile",
    [
        *(header("x", 4 << 30, kind) for kind in (b"L", b"K", b"x", b"g", b"X")),
        *(header("b.jpg", size) for size in (-512, -1024, -(10**9), 2**85)),
        *(header("x", -512, kind) for kind in (b"L", b"x")),
        (header("x", 512, b"L") + b"y" * 512) * 600,
        pax_headers(200),
        sparse_header(),
    ],
    ids=lambda raw: f"{raw[156:157].decode()}{len(raw)}-{raw[124:136].hex()}",
)
def test_headers_that_claim_too_much(tmp_path: Path, hostile: bytes) -> None:
    first = header("a.jpg", len(photo())) + photo() + b"\0" * (-len(photo()) % 512)
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(first + hostile)
        file.truncate(5 << 30)  # a hole, in which a long name or anything else may end
    seen = read(tmp_path / "a.tar")
    assert read_picture(seen.rows[0]) == photo()
    assert seen.rows[-1].error is not None
    assert 2 <= len(seen.rows) <= 3


def test_the_members_of_a_row_are_bounded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(photo())
    monkeypatch.setattr(webdataset, "_LARGEST_ROW", 2 * size)
    monkeypatch.setattr(webdataset, "_LARGEST_TEXT", 10)
    pictures = {f"a.{n}.jpg": photo() for n in range(4)}
    texts = {"c.jpg": photo(), "c.txt": b"x" * 6, "c.cls": b"x" * 6}
    seen = read(pack(tmp_path / "a.tar", {**pictures, "b.jpg": photo(), **texts}))
    assert (seen.names, list(seen.failed)) == (["a.0.jpg", "b.jpg", "c.jpg"], ["a.tar: c.jpg"])
    assert "over" in read(tmp_path / "a.tar", image_field="3.jpg").failed["a.tar: a.0.jpg"]


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_archive_that_is_almost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(tar_stream, "MAX_BYTES", 0)
    members = {"a.jpg": photo(), "b.bin": bytes(50 << 20), "c.jpg": photo()}
    seen = read(pack(tmp_path / "a.tar.x", members, mode).rename(tmp_path / "a.tar.gz"))
    assert (seen.names[0], len(seen.rows)) == ("a.jpg", 2)
    assert "100 times its own" in str(seen.rows[1].error)
