"""What the score store keeps and gives back."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wd14.cache_folders import cache_folder
from wd14.errors import ScoringError, StoreError
from wd14.model.score_store.row_format import floor, rating_mask
from wd14.model.score_store.store import ScoreStore, usable_for
from wd14.model.score_store.stored import StoredCount
from wd14.types import SCORE_FLOOR, FloatArray, Labels

LABELS = Labels(("safe", "risky", *(f"tag_{i}" for i in range(300))), ("rating", "rating", *("general",) * 300))

RATINGS = rating_mask(LABELS)


def sha(name: str | int) -> bytes:
    return hashlib.sha256(str(name).encode()).digest()


def some_scores(seed: int, tags: int = len(LABELS)) -> FloatArray:
    """Most below the floor, about 30 above it, none a round number."""
    random = np.random.default_rng(seed)
    values = random.uniform(0, 0.009, tags).astype(np.float32)
    values[random.choice(tags, 30, replace=False)] = random.uniform(0.01, 1, 30).astype(np.float32)
    return values


class Lines(list[str]):
    """A log that remembers."""

    def __call__(self, line: str) -> None:
        self.append(line)


@pytest.fixture
def log() -> Lines:
    return Lines()


def test_scores_come_back_in_another_run_as_floor_gives_them(tmp_path: Path, log: Lines) -> None:
    fresh = {sha(i): some_scores(i) for i in range(600)}
    with ScoreStore.open(tmp_path, log=log) as store:
        store.view("model", "kohya", LABELS).put(fresh.items())
    with ScoreStore.open(tmp_path, log=log) as store:
        view = store.view("model", "kohya", LABELS)
        for picture, scores in fresh.items():
            found = view.get(picture)
            assert found is not None
            assert found.dtype == np.float32
            assert found.tobytes() == floor(scores, RATINGS).tobytes()
        assert view.get(sha("never seen")) is None
        view.put([(sha("waits"), some_scores(1))])
        assert set(view.get_many([sha("waits"), sha("never seen"), *fresh])) == {sha("waits"), *fresh}
    assert log == []


def test_scores_are_found_at_once_and_before_they_are_written(tmp_path: Path) -> None:
    with ScoreStore.open(tmp_path) as store:
        view = store.view("model", "kohya", LABELS)
        view.put([(sha(1), some_scores(1))])
        found = view.get(sha(1))
        assert found is not None
        np.testing.assert_array_equal(found, floor(some_scores(1), RATINGS))


@given(
    values=arrays.arrays(np.float32, len(LABELS), elements=st.floats(0, 1, width=32)),
    just_at_the_floor=st.integers(2, len(LABELS) - 1),
)
@settings(max_examples=40, deadline=None)
def test_any_scores_come_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, values: FloatArray, just_at_the_floor: int
) -> None:
    values[just_at_the_floor] = np.float32(0.01)
    with ScoreStore.open(tmp_path_factory.mktemp("store")) as store:
        view = store.view("model", "kohya", LABELS)
        view.put([(sha(1), values)])
        store.flush()
        found = view.get(sha(1))
    assert found is not None
    assert found[:2].tobytes() == values[:2].tobytes(), "ratings are kept whatever their size"
    assert found[just_at_the_floor] == np.float32(0.01)
    expected = [value if value >= np.float32(0.01) else np.float32(0) for value in values[2:]]
    assert found[2:].tolist() == expected


@pytest.mark.parametrize("tags", [4, 9083, 70_527])
def test_models_of_any_number_of_tags(tmp_path: Path, tags: int) -> None:
    """70,527 tags (camie-tagger) do not fit 16-bit indices; 4 tags are fewer than a sparse row pays for."""
    labels = Labels(tuple(map(str, range(tags))), ("general",) * tags)
    values = np.zeros(tags, dtype=np.float32)
    values[[0, tags - 1]] = 0.25, 0.75
    with ScoreStore.open(tmp_path) as store:
        store.view("model", "kohya", labels).put([(sha(1), values)])
        store.flush()
        found = store.view("model", "kohya", labels).get(sha(1))
        assert found is not None
        np.testing.assert_array_equal(found, values)


def test_a_row_takes_some_hundred_bytes(tmp_path: Path) -> None:
    """The figure that DEFAULT_MAX_BYTES rests on: about 100 tags of 9,083 at or above the floor."""
    labels = Labels(tuple(map(str, range(9083))), ("general",) * 9083)
    random = np.random.default_rng(0)
    values = np.zeros(9083, dtype=np.float32)
    values[random.choice(9083, 100, replace=False)] = random.uniform(0.01, 1, 100).astype(np.float32)
    with ScoreStore.open(tmp_path) as store:
        store.view("model", "kohya", labels).put((sha(i), values) for i in range(2000))
        assert store.stats().bytes / 2000 < 900


def test_scores_belong_to_picture_model_preprocessing_and_tags(tmp_path: Path) -> None:
    with ScoreStore.open(tmp_path) as store:
        store.view("model", "kohya", LABELS).put([(sha("picture"), some_scores(1))])
        store.flush()
        assert store.view("model", "kohya", LABELS).get(sha("picture")) is not None
        assert store.view("model", "kohya", LABELS).get(sha("picture, changed")) is None
        assert store.view("another model", "kohya", LABELS).get(sha("picture")) is None
        assert store.view("model", "reference", LABELS).get(sha("picture")) is None
        fewer = Labels(LABELS.names[:9], LABELS.categories[:9])
        assert store.view("model", "kohya", fewer).get(sha("picture")) is None


def test_the_last_scores_of_a_picture_count(tmp_path: Path) -> None:
    with ScoreStore.open(tmp_path) as store:
        view = store.view("model", "kohya", LABELS)
        for seed in (1, 2):
            view.put([(sha("picture"), some_scores(seed))])
            store.flush()
        found = view.get(sha("picture"))
        assert found is not None
        np.testing.assert_array_equal(found, floor(some_scores(2), RATINGS))
        assert store.stats().scored == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    values = some_scores(1)
    values[7] = bad
    with pytest.raises(ScoringError, match="finite"):
        floor(values, RATINGS)
    with ScoreStore.open(tmp_path) as store:
        view = store.view("model", "kohya", LABELS)
        with pytest.raises(ScoringError, match="finite"):
            view.put([(sha(1), some_scores(1)), (sha(2), values)])
        assert view.get(sha(1)) is None
        assert view.get(sha(2)) is None


def test_scores_of_another_number_of_tags_are_refused(tmp_path: Path) -> None:
    with ScoreStore.open(tmp_path) as store, pytest.raises(ScoringError, match="expected 302 scores, got 5"):
        store.view("model", "kohya", LABELS).put([(sha(1), np.zeros(5, dtype=np.float32))])


def test_floor_works_on_a_batch_and_leaves_its_argument_alone() -> None:
    batch = np.stack([some_scores(1), some_scores(2)])
    before = batch.copy()
    floored = floor(batch, RATINGS)
    np.testing.assert_array_equal(floored[1], floor(some_scores(2), RATINGS))
    np.testing.assert_array_equal(batch, before)


def test_floor_follows_the_labels_that_it_is_given() -> None:
    """Two models one after the other: the second one's ratings are its own."""
    low = np.full(3, 0.001, dtype=np.float32)
    first = Labels(("a", "b", "c"), ("rating", "general", "general"))
    second = Labels(("a", "b", "c"), ("general", "general", "rating"))
    assert np.flatnonzero(floor(low, rating_mask(first))).tolist() == [0]
    assert np.flatnonzero(floor(low, rating_mask(second))).tolist() == [2]


@pytest.mark.parametrize(
    ("threshold", "usable"), [(0.35, True), (SCORE_FLOOR, True), (0.00999999, False), (0.0, False), (2.0, True)]
)
def test_a_threshold_below_the_floor_needs_the_model(threshold: float, usable: bool) -> None:
    assert usable_for(threshold) is usable


def test_a_store_that_is_off_keeps_nothing() -> None:
    with ScoreStore.off() as store:
        view = store.view("model", "kohya", LABELS)
        view.put([(sha(1), some_scores(1))])
        assert view.get(sha(1)) is None
        with pytest.raises(StoreError, match="turned off"):
            store.stats()


def test_stats_and_clear(tmp_path: Path) -> None:
    with ScoreStore.open(tmp_path) as store:
        store.view("one", "kohya", LABELS, name="o/one").put((sha(i), some_scores(i)) for i in range(3000))
        store.view("two", "kohya", LABELS).put([(sha(0), some_scores(0))])
        stats = store.stats()
        assert stats.counts == (StoredCount("", "two", "kohya", 1), StoredCount("o/one", "one", "kohya", 3000))
        assert stats.scored == 3000  # one of them by two models
        assert stats.path == tmp_path / "scores.sqlite"

        assert store.clear() == 3000
        assert store.view("one", "kohya", LABELS).get(sha(0)) is None
        cleared = store.stats()
        assert cleared.scored == 0
        assert cleared.bytes < stats.bytes / 10

        store.view("one", "kohya", LABELS).put([(sha(0), some_scores(0))])
        assert store.stats().counts == (StoredCount("", "one", "kohya", 1),)


def test_many_threads_read_while_one_writes(tmp_path: Path) -> None:
    failures = Lines()
    done = threading.Event()
    with ScoreStore.open(tmp_path, log=failures) as store:
        view = store.view("model", "kohya", LABELS)
        expected = {i: floor(some_scores(i), RATINGS).tobytes() for i in range(40)}

        def read() -> None:
            while not done.is_set():
                for i, scores in expected.items():
                    found = view.get(sha(i))
                    if found is not None and found.tobytes() != scores:
                        failures.append(f"wrong scores for {i}")

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            for i in range(40):
                view.put([(sha(i), some_scores(i))])
                store.flush()
        done.set()
        for thread in threads:
            thread.join()
        assert all(view.get(sha(i)) is not None for i in expected)
    assert failures == []


def test_closing_while_threads_still_read_is_safe(tmp_path: Path, log: Lines) -> None:
    """A job that is stopped closes its store while decoding threads may be at work."""
    store = ScoreStore.open(tmp_path, log=log)
    view = store.view("model", "kohya", LABELS)
    view.put((sha(i), some_scores(i)) for i in range(300))
    closed = threading.Event()
    after_closing: list[object] = []

    def read() -> None:
        while not closed.is_set():
            view.get(sha(5))
        after_closing.append(view.get(sha(5)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    store.close()
    closed.set()
    for thread in threads:
        thread.join()
    assert after_closing == [None] * 4
    assert log == []
    store.close()


class TestSizeLimit:
    """At its limit the store keeps nothing more, and says so once; what is there is still read."""

    LIMIT = 400_000

    def test_at_the_limit(self, tmp_path: Path, log: Lines) -> None:
        with ScoreStore.open(tmp_path, max_bytes=self.LIMIT, log=log) as store:
            view = store.view("model", "kohya", LABELS)
            for i in range(6000):
                view.put([(sha(i), some_scores(i))])
            assert store.stats().bytes < 3 * self.LIMIT
        (line,) = log
        assert "limit of 0 MB" in line
        assert "wd14-captioner cache --clear" in line
        with ScoreStore.open(tmp_path, max_bytes=self.LIMIT) as store:
            view = store.view("model", "kohya", LABELS)
            there = [view.get(sha(i)) is not None for i in range(6000)]
            assert there == sorted(there, reverse=True), "the first ones are kept"
            assert 500 < sum(there) < 3000
            store.clear()
            view.put([(sha("new"), some_scores(0))])
            store.flush()
        with ScoreStore.open(tmp_path) as store:
            assert store.stats().scored == 1


class TestVersionOne:
    """A file of version 1.0 is brought up to date and keeps its scores."""

    @pytest.fixture
    def old(self, tmp_path: Path) -> Path:
        with ScoreStore.open(tmp_path) as store:
            store.view("model", "kohya", LABELS).put((sha(i), some_scores(i)) for i in range(300))
        with sqlite3.connect(tmp_path / "scores.sqlite") as sql:
            sql.execute("CREATE TABLE block (id INTEGER PRIMARY KEY, used INTEGER NOT NULL)")
            sql.execute("DROP TABLE facts")
            sql.execute("DROP TABLE thumbnails")
            sql.execute("ALTER TABLE identity DROP COLUMN name")
            sql.execute("PRAGMA user_version = 1")
        sql.close()
        return tmp_path

    @pytest.mark.parametrize("with_block", [True, False])
    def test_scores_stay(self, old: Path, log: Lines, with_block: bool) -> None:
        if not with_block:
            with sqlite3.connect(old / "scores.sqlite") as sql:
                sql.execute("DROP TABLE block")
            sql.close()
        for _ in range(2):
            with ScoreStore.open(old, log=log) as store:
                view = store.view("model", "kohya", LABELS, name="owner/tagger")
                assert all(view.get(sha(i)) is not None for i in range(300))
                assert {count.model for count in store.stats().counts} == {"model"}
                view.put([(sha("new"), some_scores(0))])
        with ScoreStore.open(old) as store:
            assert store.stats().counts == (StoredCount("owner/tagger", "model", "kohya", 301),)
        assert log == []


class TestDefaultFolder:
    """Where scores are kept when nobody says where."""

    def test_the_variable_counts_first_and_when_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WD14_CACHE", str(tmp_path / "own"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        with ScoreStore.open() as store:
            assert store.path == tmp_path / "own" / "scores.sqlite"
        assert (tmp_path / "own" / "scores.sqlite").is_file()
        with ScoreStore.open(tmp_path / "named") as store:
            assert store.path == tmp_path / "named" / "scores.sqlite"

    @pytest.mark.parametrize(
        ("platform", "variables", "expected"),
        [
            ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/wd14_captioner"),
            ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/ada/.cache/wd14_captioner"),
            ("linux", {}, "/home/ada/.cache/wd14_captioner"),
            ("darwin", {"XDG_CACHE_HOME": "/xdg"}, "/home/ada/Library/Caches/wd14_captioner"),
            ("win32", {"LOCALAPPDATA": "/local"}, "/local/wd14_captioner"),
            ("win32", {}, "/home/ada/AppData/Local/wd14_captioner"),
        ],
    )
    def test_the_users_cache_folder_of_each_system(
        self, platform: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("WD14_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", "/home/ada")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("wd14.cache_folders.sys.platform", platform)
        assert cache_folder() == Path(expected)

    def test_a_user_without_a_home_goes_without_a_store(self, monkeypatch: pytest.MonkeyPatch, log: Lines) -> None:
        monkeypatch.setenv("WD14_CACHE", "~nobody-of-that-name/scores")
        with ScoreStore.open(log=log) as store:
            assert store.view("model", "kohya", LABELS).get(sha(1)) is None
        assert len(log) == 1
        assert "WD14_CACHE" in log[0]
