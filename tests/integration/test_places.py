"""Places on a real S3 protocol, with the faults that stores have, and on disks that are full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest

from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.s3_server import Bucket
from wd14 import object_stores, patience
from wd14.errors import JobStoppedError, PlaceError, UnreachablePlaceError, UnwritablePlaceError
from wd14.patience import waits_watched
from wd14.places import Place, read_many
from wd14.stop import StopToken
from wd14.threads import OrderedMap

_numbers = count(1)


@pytest.fixture(scope="module")
def proxy(s3_port: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(s3_port) as proxy:
        yield proxy


@pytest.fixture
def bucket(proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new bucket behind the proxy; waits are a twentieth of what they are."""
    bucket = Bucket(tmp_path, proxy.port, f"places-{next(_numbers)}")
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.025)
    monkeypatch.setattr(patience, "LONGEST_WAIT", 0.5)
    monkeypatch.setattr(patience._watch, "_said", {})
    return bucket


@pytest.fixture
def place(bucket: Bucket) -> Place:
    return Place(f"s3://{bucket.name}/out")


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    with waits_watched(lines.append, StopToken()):
        yield lines


def test_a_store_is_used_as_a_disk_is(place: Place, tmp_path: Path) -> None:
    for root in (place, Place(tmp_path / "disk")):
        assert not root.exists()
        assert root.names() == []
        assert list(root.entries()) == []
        with pytest.raises(FileNotFoundError, match="is not there"):
            (root / "a.json").read()
        (root / "b.json").write(b"two")
        (root / "a.json").write(b"first")
        (root / "a.json").write(b"one")
        (root / "empty").write(b"")
        with (root / "sub/deep.bin").writing() as path:
            path.write_bytes(bytes(range(256)) * 100)
        with suppress(ZeroDivisionError), (root / "never").writing() as path:
            path.write_bytes(b"half")
            raise ZeroDivisionError
        deep = root / "sub/deep.bin"
        assert root.exists()
        assert root.names() == ["a.json", "b.json", "empty"]
        assert sorted(each.relative for each in root.entries()) == ["a.json", "b.json", "empty", "sub/"]
        assert list(read_many(root / name for name in root.names())) == [b"one", b"two", b""]
        assert deep.read_range(254, 258) == bytes((254, 255, 0, 1))
        assert deep.read_range(25_599, 99_999) == b"\xff"
        assert deep.read_range(99_999, 100_000) == b""
        with deep.open() as file:
            assert file.seek(-2, os.SEEK_END) == 25_598
            assert file.read() == b"\xfe\xff"
            file.seek(0)
            assert file.read(3) == b"\x00\x01\x02"
        copy = tmp_path / f"copy-{root.is_local}"
        deep.download(copy, 256, 300)
        assert copy.read_bytes() == bytes(256) + bytes(range(44))
        with pytest.raises(PlaceError, match=r"more than 25,599 bytes|limit is 25,599"):
            deep.read(25_599)
        assert deep.facts().size == 25_600
        (root / "a.json").remove()
        (root / "a.json").remove()
        assert root.names() == ["b.json", "empty"]
    found = list(place.files())
    assert [(each.relative, each.size) for each in found] == [("b.json", 3), ("empty", 0), ("sub/deep.bin", 25_600)]
    before = found[0].stamp
    assert before == (place / "b.json").facts().stamp != ""
    (place / "b.json").write(b"TWO")
    assert (place / "b.json").facts().stamp != before


def test_files_are_listed_in_pages_and_read_in_order(
    proxy: FaultyProxy, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_stores, "_PAGE", 20)
    for number in range(50):
        (place / f"done/{number:05d}.json").write(str(number).encode())
    before = proxy.requests
    names = (place / "done").names()
    assert [each.relative for each in place.files()] == [f"done/{name}" for name in names]
    assert proxy.requests - before == 6  # three pages each
    assert list(read_many(place / f"done/{name}" for name in names)) == [str(number).encode() for number in range(50)]


def test_what_a_store_refuses_for_the_moment_is_asked_for_again(
    place: Place, proxy: FaultyProxy, said: list[str], tmp_path: Path
) -> None:
    data = os.urandom(9 << 20)
    proxy.fail_next("503", "503", "429", "500", "drop", "drop")
    (place / "big").write(data)
    proxy.fail_next("drop", "503", "503", "cut", "cut", "503", "503")
    (place / "big").download(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    proxy.fail_next("503", "503", "503")
    assert place.names() == ["big"]
    assert len(said) == 1  # once, not once a request
    assert said[0].startswith(place.url.rpartition("/")[0] + " is busy (503 SlowDown). Trying again in 0.")
    assert said[0].endswith("for 2 min 00 s at most.")


def test_sixteen_threads_get_through_a_store_that_throttles(
    place: Place, proxy: FaultyProxy, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.throttle(40)
    for _ in range(32):  # on a busy machine there may never be forty in a second
        proxy.fail_next("503")
    try:
        written = OrderedMap(
            lambda n: (place / f"{n:03d}").write(b"%d" % n), range(80), workers=16, window=16, name="test"
        )
        assert len(list(written)) == 80
    finally:
        proxy.throttle(0)
    assert place.names() == [f"{number:03d}" for number in range(80)]
    assert len(said) == 1


def test_a_store_that_stays_away_is_given_up_and_a_stop_ends_the_waiting(
    place: Place, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "there").write(b"1")
    monkeypatch.setattr(patience, "GIVE_UP_AFTER", 0.6)
    proxy.fail_always("drop")
    stop = StopToken()
    try:
        with pytest.raises(
            UnreachablePlaceError, match=r"it does not answer \(.*it was asked \d+ times? in .*Run again"
        ):
            (place / "there").read()
        monkeypatch.setattr(patience, "GIVE_UP_AFTER", 600)
        monkeypatch.setattr(patience, "FIRST_WAIT", 30)
        monkeypatch.setattr(patience, "LONGEST_WAIT", 30)
        with waits_watched(lambda _: stop.request("Ctrl-C"), stop), pytest.raises(JobStoppedError, match="Ctrl-C"):
            (place / "there").write(b"2")
    finally:
        proxy.fail_always(None)
    assert (place / "there").read() == b"1"


def test_what_a_person_must_mend_is_said_at_once(bucket: Bucket, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Place("s3://no-such-bucket/out")
    for call in (nowhere.names, nowhere.read, nowhere.exists, lambda: list(nowhere.files())):
        with pytest.raises(PlaceError, match="there is no such bucket: make it first"):
            call()
    with pytest.raises(UnwritablePlaceError, match="no such bucket"):
        nowhere.write(b"")
    bucket.refuse(".json")
    with pytest.raises(UnwritablePlaceError, match="writing is not allowed with these credentials"):
        (place / "a.json").write(b"1")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    bucket_without = Place("s3://other-bucket/out")
    with pytest.raises(PlaceError, match="no credentials were found that the store takes: give them by `aws"):
        bucket_without.names()


def test_uploads_that_killed_writers_left_are_ended(bucket: Bucket, place: Place) -> None:
    bucket._client.create_multipart_upload(Bucket=bucket.name, Key="out/shards/00001.tar")
    bucket._client.create_multipart_upload(Bucket=bucket.name, Key="other/00001.tar")
    assert place.clear_partial() == 1
    left = bucket._client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
    assert [each["Key"] for each in left] == ["other/00001.tar"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_told_and_nothing_half_written_stays(small_disk: Path) -> None:
    place = Place(small_disk / "shards/00001.parquet")
    place.write(b"before")
    with pytest.raises(UnwritablePlaceError, match="cannot be written: No space left on device"):
        place.write(bytes(1 << 20))
    with pytest.raises(UnwritablePlaceError, match="No space left"), place.writing() as path:
        path.write_bytes(bytes(1 << 20))
    assert place.read() == b"before"
    assert [path.name for path in (small_disk / "shards").iterdir()] == ["00001.parquet"]
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(UnwritablePlaceError, match="Read-only file system"):
        place.write(b"after")


_KILLED = """
import os, signal, sys
from wd14.places import Place
with Place(sys.argv[1]).writing() as path:
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_nothing_that_a_reader_sees(tmp_path: Path) -> None:
    place = Place(tmp_path / "out/a.json")
    place.write(b"whole")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", _KILLED, str(place)], env=environment, check=False)
    assert place.read() == b"whole"
    assert Place(tmp_path / "out").names() == ["a.json"]
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert Place(tmp_path).clear_partial() == 1
    assert list((tmp_path / "out").iterdir()) == [place.local]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://key:geheim@bucket/x", "s3://…@bucket/x"),
        ("s3://key:ge/geheim+1@bucket/x", "s3://…@bucket/x"),
        ("s3://me@home:geheim@bucket/x", "s3://…@bucket/x"),
        ("https://geheim@host/x", "https://…@host/x"),
        ("az://container/x?sv=1&sig=geheim", "az://container/x?…"),
        ("https://host/x?X-Amz-Signature=geheim", "https://host/x?…"),
    ],
)
def test_a_url_with_a_secret_is_refused_without_showing_it(url: str, shown: str) -> None:
    with pytest.raises(PlaceError, match="holds a secret") as refused:
        Place(url)
    assert str(refused.value).startswith(shown)
    assert "geheim" not in str(refused.value)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, scheme in (("gcsfs", "gs"), ("adlfs", "abfs"), ("s3fs", "s3")):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(import_module("fsspec.registry")._registry, scheme, raising=False)  # what was loaded before
    for url, package in (("gs://none/x", "gcsfs"), ("abfs://none/x", "adlfs"), ("s3://n", 'wd14-captioner[scale]"')):
        with pytest.raises(PlaceError, match="needs a package that is not installed: pip install") as missing:
            Place(url).exists()
        assert str(missing.value).endswith(package)
    with pytest.raises(PlaceError, match="of no kind that is known"):
        Place("floppy://a/b").exists()
    with pytest.raises(PlaceError, match="is no place"):
        Place("s3:///x")
