from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from wd14.errors import JobStoppedError, ModelError, ModelNotFoundError
from wd14.model.files import hashes
from wd14.model.files.hashes import hash_file, identity_of, sha256_of
from wd14.stop import StopToken


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """An item for each time that a file's content was really read."""
    read: list[object] = []
    real = hashes._hash

    def counting(file: BinaryIO, stop: StopToken) -> str:
        read.append(file)
        return real(file, stop)

    monkeypatch.setattr(hashes, "_hash", counting)
    return read


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as left alone at once."""
    monkeypatch.setattr(hashes, "_SETTLED_NS", -1 << 40)


@pytest.mark.usefixtures("settled")
def test_a_file_is_hashed_once(tmp_path: Path, hashed: list[object]) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    wanted = hashlib.sha256(b"weights").hexdigest()
    assert [sha256_of(path), sha256_of(path)] == [wanted, wanted]
    assert len(hashed) == 1


@pytest.mark.usefixtures("settled")
def test_a_link_is_the_file_that_it_leads_to(tmp_path: Path, hashed: list[object]) -> None:
    (tmp_path / "blob").write_bytes(b"weights")
    (tmp_path / "model.onnx").symlink_to("blob")
    assert sha256_of(tmp_path / "model.onnx") == sha256_of(tmp_path / "blob")
    assert len(hashed) == 1


@pytest.mark.usefixtures("settled")
def test_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    first = sha256_of(path)
    stat = path.stat()
    path.write_bytes(b"WEIGHTS")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert sha256_of(path) == hashlib.sha256(b"WEIGHTS").hexdigest() != first


@pytest.mark.usefixtures("settled")
def test_a_file_that_was_replaced_by_one_of_the_same_time_and_size_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    sha256_of(path)
    stat = path.stat()
    other = tmp_path / "other"
    other.write_bytes(b"WEIGHTS")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)
    assert sha256_of(path) == hashlib.sha256(b"WEIGHTS").hexdigest()


@pytest.mark.usefixtures("settled")
def test_a_file_that_was_rewritten_in_place_with_its_old_time_is_hashed_again(tmp_path: Path) -> None:
    """As `cp -p` and rsync's `--inplace --times` leave it: the same inode, size and time."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    sha256_of(path)
    stat = path.stat()
    time.sleep(0.02)  # a tick of the file system's clock
    path.write_bytes(b"WEIGHTS")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert sha256_of(path) == hashlib.sha256(b"WEIGHTS").hexdigest()


def test_a_file_that_changed_a_moment_ago_is_not_remembered(tmp_path: Path, hashed: list[object]) -> None:
    """A second change in the same tick of the clock would go unseen."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    os.utime(path, (1, 1))
    assert [sha256_of(path), sha256_of(path)] == [hashlib.sha256(b"weights").hexdigest()] * 2
    assert len(hashed) == 2


def test_a_file_that_was_changed_since_is_told_from_the_one_that_was_hashed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    found = hash_file(path)
    found.check()
    time.sleep(0.02)
    path.write_bytes(b"WEIGHTS")
    with pytest.raises(ModelError, match="was changed"):
        found.check()
    path.unlink()
    with pytest.raises(ModelError, match="was changed"):
        found.check()


@pytest.mark.usefixtures("settled")
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelNotFoundError, match="it is a pipe"):
        sha256_of(tmp_path / "pipe")
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    wanted = sha256_of(path)
    (note,) = (Path(os.environ["WD14_CACHE"]) / "hashes").iterdir()
    note.unlink()
    os.mkfifo(note)
    assert sha256_of(path) == wanted


def test_a_file_of_another_size_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    sha256_of(path)
    stat = path.stat()
    path.write_bytes(b"more weights")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert sha256_of(path) == hashlib.sha256(b"more weights").hexdigest()


@pytest.mark.usefixtures("settled")
def test_a_file_that_changes_meanwhile_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")

    def changing(_: object, __: object) -> str:
        path.write_bytes(b"more weights")
        return "0" * 64

    monkeypatch.setattr(hashes, "_hash", changing)
    with pytest.raises(ModelNotFoundError, match="is being written to"):
        sha256_of(path)
    assert not list(Path(os.environ["WD14_CACHE"]).rglob("*.json"))


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"stamp": 5}', '{"stamp": STAMP, "sha256": "ab"}', '{"stamp": STAMP, "sha256": 5}']
)
def test_a_damaged_note_costs_time_only(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    wanted = sha256_of(path)
    (note,) = (Path(os.environ["WD14_CACHE"]) / "hashes").iterdir()
    note.write_text(damage.replace("STAMP", json.dumps(json.loads(note.read_text())["stamp"])))
    assert sha256_of(path) == wanted


def test_a_cache_folder_that_cannot_be_made_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WD14_CACHE", str(tmp_path / "file" / "cache"))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    assert sha256_of(path) == hashlib.sha256(b"weights").hexdigest()


def test_stop_ends_the_hashing(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    stop = StopToken()
    stop.request()
    with pytest.raises(JobStoppedError):
        sha256_of(path, stop=stop)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no file"):
        sha256_of(tmp_path / "model.onnx")


def test_an_identity_depends_on_every_part_and_on_their_order() -> None:
    assert len({identity_of("a", "b"), identity_of("b", "a"), identity_of("ab"), identity_of("a", "b", "")}) == 4
    assert identity_of("a", "b") == identity_of("a", "b")
