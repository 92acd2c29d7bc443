"""The facts of pictures in the score store, with scores or without."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from wd14.model.score_store import facts_format, thumbnail_format
from wd14.model.score_store.database import ScoreDatabase, _ReadOnlyError
from wd14.model.score_store.store import ScoreStore
from wd14.types import THUMBNAIL_SIDE, Labels, PictureFacts

_OPEN = ScoreDatabase._open
LABELS = Labels(("safe", "cat"), ("rating", "general"))


def sha(name: str | int) -> bytes:
    return hashlib.sha256(str(name).encode()).digest()


def some_facts(seed: int) -> PictureFacts:
    thumbnail = np.random.default_rng(seed).integers(0, 256, THUMBNAIL_SIDE**2, np.uint8).tobytes()
    return PictureFacts(seed, 10_000_000, seed / 4, thumbnail)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The file of a store with 1,200 pictures' facts, and the scores of one."""
    with ScoreStore.open(tmp_path) as store:
        store.put_facts((sha(i), some_facts(i)) for i in range(1200))
        store.view("model", "kohya", LABELS).put([(sha(0), np.array([0.5, 0.5], np.float32))])
    return tmp_path / "scores.sqlite"


def change(file: Path, *statements: str) -> None:
    sql = sqlite3.connect(file)
    with sql:
        for statement in statements:
            sql.execute(statement)
    sql.close()


def only_to_read(self: ScoreDatabase, place: str, *, writable: bool) -> None:
    """`ScoreDatabase._open` where the system lets no one write."""
    if writable:
        raise _ReadOnlyError("attempt to write a readonly database")
    _OPEN(self, place, writable=writable)


def test_facts_come_back_in_another_run(filled: Path) -> None:
    with ScoreStore.open(filled.parent) as store:
        assert store.facts(sha(7)) == some_facts(7)
        assert store.facts(sha("never seen")) is None
        assert store.facts_of_many(sha(i) for i in range(1300)) == {sha(i): some_facts(i) for i in range(1200)}
        assert store.facts_of_many([]) == {}


def test_facts_are_found_at_once_and_the_last_ones_count(filled: Path) -> None:
    with ScoreStore.open(filled.parent) as store:
        store.put_facts([(sha(1), some_facts(2)), (sha("new"), some_facts(3))])
        assert store.facts(sha(1)) == some_facts(2)
        assert store.facts(sha("new")) == some_facts(3)
    with ScoreStore.open(filled.parent) as store:
        assert store.facts(sha(1)) == some_facts(2)
        assert store.stats().facts == 1201


def test_facts_that_were_changed_are_not_believed(filled: Path) -> None:
    change(
        filled,
        "UPDATE facts SET packed = zeroblob(length(packed)) WHERE id = 1",
        "UPDATE facts SET packed = x'00' WHERE id = 2",
        "UPDATE facts SET packed = 'text' WHERE id = 3",
        "UPDATE facts SET packed = (SELECT packed FROM facts WHERE id = 9) WHERE id = 4",
    )
    with ScoreStore.open(filled.parent) as store:
        assert store.facts_of_many(map(sha, range(6))) == {sha(i): some_facts(i) for i in (4, 5)}
        store.put_facts([(sha(0), some_facts(0))])
        store.flush()
        assert store.facts(sha(0)) == some_facts(0)


def test_facts_of_another_version_are_computed_anew(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_format, "FACTS_VERSION", facts_format.FACTS_VERSION + 1)
    with ScoreStore.open(filled.parent) as store:
        assert store.facts(sha(7)) is None


def test_clearing_forgets_facts(filled: Path) -> None:
    with ScoreStore.open(filled.parent) as store:
        assert store.clear() == 1
        assert store.facts(sha(7)) is None
        assert store.stats().facts == 0


def test_thumbnails_come_back_as_they_were_made(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScoreStore.open(filled.parent) as store:
        store.put_thumbnails((sha(i), bytes([i]) * 100) for i in range(4))
        store.put_thumbnails([(sha("huge"), bytes(100_000))])
        assert store.thumbnail(sha(1)) == bytes([1]) * 100
        assert store.thumbnail(sha("huge")) is None
    change(
        filled,
        "UPDATE thumbnails SET packed = (SELECT packed FROM thumbnails WHERE id = 2) WHERE id = 1",
        "UPDATE thumbnails SET packed = x'00' WHERE id = 3",
    )
    with ScoreStore.open(filled.parent) as store:
        assert [store.thumbnail(sha(i)) is not None for i in range(4)] == [False, True, False, True]
        assert store.stats().thumbnails == 4
        monkeypatch.setattr(thumbnail_format, "THUMBNAIL_VERSION", 2)
        assert store.thumbnail(sha(1)) is None


def test_of_thumbnails_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wd14.model.score_store.database.MOST_THUMBNAILS", 5)
    with ScoreStore.open(tmp_path) as store:
        for i in range(8):
            store.put_thumbnails([(sha(i), b"picture")])
            store.flush()
        assert [store.thumbnail(sha(i)) is not None for i in range(8)] == [False] * 3 + [True] * 5
        assert store.clear() == 0
        assert store.thumbnail(sha(7)) is None


def test_a_full_or_absent_store_fails_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    with ScoreStore.open(tmp_path, max_bytes=1, log=lines.append) as store:
        store.put_facts([(sha(1), some_facts(1))])
        store.put_thumbnails([(sha(1), b"picture")])
        store.flush()
        assert store.facts(sha(1)) is None
        assert store.thumbnail(sha(1)) is None
    assert len(lines) == 1
    with ScoreStore.off() as store:
        store.put_facts([(sha(1), some_facts(1))])
        assert store.facts(sha(1)) is None


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("version", [2, 3])
def test_a_file_of_an_older_version_keeps_its_scores(
    filled: Path, version: int, read_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(filled, "DROP TABLE thumbnails", f"PRAGMA user_version = {version}")
    if version == 2:
        change(filled, "DROP TABLE facts")
    lines: list[str] = []
    if read_only:  # the rights of files do not bind root
        monkeypatch.setattr("wd14.model.score_store.database.ScoreDatabase._open", only_to_read)
    for _ in range(2):
        with ScoreStore.open(filled.parent, log=lines.append) as store:
            found = store.view("model", "kohya", LABELS).get(sha(0))
            assert found is not None
            assert found.tolist() == [0.5, 0.5]
            if version == 2:
                assert store.stats().facts == (store.facts(sha(1)) is not None)
            store.put_facts([(sha(1), some_facts(1))])
            store.put_thumbnails([(sha(1), b"picture")])
    with ScoreStore.open(filled.parent, log=lines.append) as store:
        assert (store.facts(sha(1)) is None) == (read_only and version == 2)
        assert store.thumbnail(sha(1)) == (None if read_only else b"picture")
    assert len(lines) == (2 if read_only else 0)  # "this run's scores are not kept"


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE facts"],
        ["DROP TABLE facts", "CREATE VIEW facts AS SELECT 1 AS id, x'00' AS picture, x'00' AS packed"],
        ["CREATE TRIGGER t AFTER INSERT ON facts BEGIN DELETE FROM scores; END"],
        ["CREATE TRIGGER sqlite AFTER INSERT ON facts BEGIN DELETE FROM scores; END"],
        ["DROP TABLE thumbnails"],
        ["PRAGMA user_version = 2"],
    ],
)
def test_tables_that_are_not_as_they_were_made(filled: Path, statements: list[str]) -> None:
    change(filled, *statements)
    lines: list[str] = []
    with ScoreStore.open(filled.parent, log=lines.append) as store:
        store.put_facts([(sha("new"), some_facts(1))])
        store.flush()
        assert store.facts(sha("new")) == some_facts(1)
        assert store.stats().facts == 1
    assert len(lines) == 1
    assert "begun anew" in lines[0]
