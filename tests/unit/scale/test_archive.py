"""Pictures out of an archive: those of the rows that are asked for, and what is wrong with one that is damaged."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.support.scale_runs import captioned
from wd14.errors import ScaleError
from wd14.places import Place
from wd14.scale.archive import ArchivePictures, ArchiveWriter
from wd14.scale.hashed_file import HashedFile

PLACE = Place("/out/shards/00003.tar")


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    """An archive of shard 3 with the pictures of rows 0, 2 and 3."""
    path = tmp_path / "a.tar"
    with HashedFile(path) as file:
        writer = ArchiveWriter(file, 3)
        for position in (0, 2, 3):
            writer.add(position, captioned(f"{position}.png", position), ".png", b"picture %d" % position * 99)
        writer.close()
    return path.read_bytes()


def _pictures(data: bytes, *positions: int) -> list[bytes | None]:
    pictures = ArchivePictures(io.BytesIO(data), PLACE)
    found = map(pictures.picture, positions)
    return [None if picture is None else picture.bytes() for picture in found]


def test_rows_get_their_pictures(archive: bytes) -> None:
    assert _pictures(archive, 0, 1, 2, 7) == [b"picture 0" * 99, None, b"picture 2" * 99, None]
    assert _pictures(archive, 3) == [b"picture 3" * 99]


def test_a_damaged_archive_is_named(archive: bytes) -> None:
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w") as file:
        member = tarfile.TarInfo("../../etc/00003-000003.png")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(member)
    for damaged in (b"", archive[:700], archive[:2500], archive[:500] + b"x" + archive[501:], other.getvalue()):
        with pytest.raises(ScaleError, match=r"00003\.tar is no archive of a run, or is damaged"):
            _pictures(damaged, 3)
