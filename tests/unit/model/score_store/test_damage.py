"""A store that is damaged, locked, read-only or full never fails a job."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from wd14.errors import StoreError
from wd14.model.score_store.database import set_aside
from wd14.model.score_store.row_format import floor, rating_mask
from wd14.model.score_store.store import ScoreStore
from wd14.types import FloatArray, Labels

LABELS = Labels(tuple(map(str, range(300))), ("rating",) * 4 + ("general",) * 296)
RATINGS = rating_mask(LABELS)
ROWS = 1500


def sha(name: str | int) -> bytes:
    return hashlib.sha256(str(name).encode()).digest()


def some_scores(seed: int) -> FloatArray:
    values = np.zeros(300, dtype=np.float32)
    random = np.random.default_rng(seed)
    values[random.choice(300, 30, replace=False)] = random.uniform(0.01, 1, 30).astype(np.float32)
    return values


class Lines(list[str]):
    """A log that remembers."""

    def __call__(self, line: str) -> None:
        self.append(line)


@pytest.fixture
def log() -> Lines:
    return Lines()


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The file of a store that holds `ROWS` rows."""
    with ScoreStore.open(tmp_path) as store:
        store.view("model", "kohya", LABELS).put((sha(i), some_scores(i)) for i in range(ROWS))
    return tmp_path / "scores.sqlite"


def wrong_and_missing(store: ScoreStore) -> tuple[int, int]:
    """How many rows come back wrong, and how many do not come back."""
    view = store.view("model", "kohya", LABELS)
    wrong = missing = 0
    for i in range(ROWS):
        found = view.get(sha(i))
        if found is None:
            missing += 1
        elif found.tobytes() != floor(some_scores(i), RATINGS).tobytes():
            wrong += 1
    return wrong, missing


def works(store: ScoreStore) -> bool:
    """Whether the store keeps a new row."""
    store.view("model", "kohya", LABELS).put([(sha("new"), some_scores(0))])
    store.flush()
    return store.view("model", "kohya", LABELS).get(sha("new")) is not None


class TestDamage:
    """A damaged file is set aside, a new one begun, and no wrong score comes out of either."""

    @pytest.mark.parametrize("content", [b"this is no database" * 300, os.urandom(70_000)])
    def test_a_file_that_is_no_database(self, tmp_path: Path, log: Lines, content: bytes) -> None:
        file = tmp_path / "scores.sqlite"
        file.write_bytes(content)
        with ScoreStore.open(tmp_path, log=log) as store:
            assert works(store)
            (aside,) = store.stats().set_aside
        assert aside.read_bytes() == content, "what was there is kept"
        assert len(log) == 1
        assert "damaged" in log[0]
        assert aside.name in log[0]

    def test_an_empty_file_is_a_new_store(self, tmp_path: Path, log: Lines) -> None:
        (tmp_path / "scores.sqlite").touch()
        with ScoreStore.open(tmp_path, log=log) as store:
            assert works(store)
        assert log == []

    @pytest.mark.parametrize("seed", range(12))
    def test_random_bytes_anywhere_in_the_file(self, filled: Path, log: Lines, seed: int) -> None:
        random = np.random.default_rng(seed)
        content = bytearray(filled.read_bytes())
        for _ in range(40):
            at = int(random.integers(len(content) - 64))
            content[at : at + 64] = random.bytes(64)
        filled.write_bytes(content)
        with ScoreStore.open(filled.parent, log=log) as store:
            wrong, missing = wrong_and_missing(store)
            assert wrong == 0
            assert missing > 0
            if store.reason is None:
                assert works(store)
        assert len(log) <= 2

    @pytest.mark.parametrize("share", [0.999, 0.7, 0.4, 0.1, 0.001])
    def test_a_truncated_file(self, filled: Path, log: Lines, share: float) -> None:
        content = filled.read_bytes()
        filled.write_bytes(content[: int(len(content) * share)])
        with ScoreStore.open(filled.parent, log=log) as store:
            wrong, _ = wrong_and_missing(store)
            assert wrong == 0
            assert works(store)
        assert len(log) == 1
        with ScoreStore.open(filled.parent, log=log) as store:
            assert works(store)
        assert len(log) == 1, "the new store is sound"

    def test_damage_found_in_the_middle_of_a_run_by_many_threads(self, filled: Path, log: Lines) -> None:
        with ScoreStore.open(filled.parent, log=log) as store:
            content = bytearray(filled.read_bytes())
            content[4096:] = b"\xff" * (len(content) - 4096)
            filled.write_bytes(content)
            view = store.view("model", "kohya", LABELS)
            threads = [threading.Thread(target=lambda: [view.get(sha(i)) for i in range(200)]) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert works(store)
        assert len(log) == 1
        with ScoreStore.open(filled.parent) as store:
            assert store.stats().scored == 1

    def test_damage_found_while_writing_keeps_what_was_to_be_written(self, filled: Path, log: Lines) -> None:
        with ScoreStore.open(filled.parent, log=log) as store:
            content = bytearray(filled.read_bytes())
            content[4096:] = b"\xff" * (len(content) - 4096)
            filled.write_bytes(content)
            store.view("model", "kohya", LABELS).put([(sha("new"), some_scores(0))])
        assert len(log) == 1
        with ScoreStore.open(filled.parent) as store:
            assert store.view("model", "kohya", LABELS).get(sha("new")) is not None

    def test_damage_that_comes_again_ends_the_store_for_this_run(self, filled: Path, log: Lines) -> None:
        """A disk that damages what it is given must not fill itself with files set aside."""
        with ScoreStore.open(filled.parent, log=log) as store:
            for number in range(3):
                if store.reason is None:
                    store.view("model", "kohya", LABELS).put((sha(i), some_scores(i)) for i in range(ROWS))
                    store.flush()
                    with sqlite3.connect(filled) as sql:
                        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    sql.close()
                    content = bytearray(filled.read_bytes())
                    content[4096:] = b"\xff" * (len(content) - 4096)
                    filled.write_bytes(content)
                store.view("model", "kohya", LABELS).get(sha(number))
            assert store.reason is not None
        assert len(list(filled.parent.glob("*.corrupt-*"))) <= 3, "one database: at most its three files"
        assert len(log) == 2

    def test_files_that_are_set_aside_in_one_second_are_all_kept(self, tmp_path: Path) -> None:
        kept = set()
        for number in range(3):
            (tmp_path / "scores.sqlite").write_text(str(number))
            kept.add(set_aside(tmp_path / "scores.sqlite"))
        assert {path.read_text() for path in kept} == {"0", "1", "2"}

    @pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
    def test_a_truncated_log_loses_its_last_rows_only(self, tmp_path: Path, log: Lines, share: float) -> None:
        """As a crash of the machine leaves it: the main file and part of what was logged."""
        folder = tmp_path / "after"
        folder.mkdir()
        with ScoreStore.open(tmp_path) as store:
            view = store.view("model", "kohya", LABELS)
            for i in range(ROWS):
                view.put([(sha(i), some_scores(i))])
            store.flush()
            (folder / "scores.sqlite").write_bytes((tmp_path / "scores.sqlite").read_bytes())
            logged = (tmp_path / "scores.sqlite-wal").read_bytes()
            (folder / "scores.sqlite-wal").write_bytes(logged[: int(len(logged) * share)])
        with ScoreStore.open(folder, log=log) as store:
            wrong, missing = wrong_and_missing(store)
            assert wrong == 0
            assert 0 < missing <= ROWS
            assert works(store)
        assert log == []

    def test_a_garbled_log_is_not_believed(self, filled: Path, log: Lines) -> None:
        filled.with_name("scores.sqlite-wal").write_bytes(os.urandom(50_000))
        with ScoreStore.open(filled.parent, log=log) as store:
            assert wrong_and_missing(store) == (0, 0)
            assert works(store)
        assert log == []

    def test_rows_whose_bytes_were_changed_are_not_believed(self, filled: Path) -> None:
        with sqlite3.connect(filled) as sql:
            sql.execute("UPDATE scores SET packed = zeroblob(length(packed)) WHERE id <= 10")
            sql.execute("UPDATE scores SET packed = x'00' WHERE id BETWEEN 11 AND 20")
            sql.execute("UPDATE scores SET packed = 'text' WHERE id BETWEEN 21 AND 30")
            sql.execute("UPDATE scores SET packed = (SELECT packed FROM scores WHERE id = 99) WHERE id = 98")
        sql.close()
        with ScoreStore.open(filled.parent) as store:
            assert wrong_and_missing(store) == (0, 31)
            store.view("model", "kohya", LABELS).put((sha(i), some_scores(i)) for i in range(ROWS))
            store.flush()
            assert wrong_and_missing(store) == (0, 0)

    @pytest.mark.parametrize(
        "statements",
        [
            "DROP TABLE scores",
            "DROP TABLE identity",
            "ALTER TABLE identity DROP COLUMN name",
            "ALTER TABLE scores RENAME TO a; CREATE TABLE scores (id INTEGER PRIMARY KEY, picture, identity, packed)",
            "ALTER TABLE scores RENAME TO other; CREATE VIEW scores AS SELECT * FROM other",
            "CREATE TRIGGER t AFTER INSERT ON scores BEGIN DELETE FROM scores; END",
        ],
    )
    def test_tables_that_are_not_as_they_were_made(self, filled: Path, log: Lines, statements: str) -> None:
        with sqlite3.connect(filled) as sql:
            sql.executescript(statements)
        sql.close()
        with ScoreStore.open(filled.parent, log=log) as store:
            assert works(store)
        assert len(log) == 1


class TestNotOurs:
    """A file that is sound but not for this version is left as it is."""

    def unused(self, file: Path, log: Lines) -> str:
        before = file.read_bytes()
        with ScoreStore.open(file.parent, log=log) as store:
            assert not works(store)
            with pytest.raises(StoreError):
                store.clear()
        assert file.read_bytes() == before
        assert [path.name for path in file.parent.iterdir()] == [file.name]
        (line,) = log
        return line

    def test_a_store_of_a_newer_version(self, filled: Path, log: Lines) -> None:
        with sqlite3.connect(filled) as sql:
            sql.execute("PRAGMA user_version = 5")
        sql.close()
        assert "newer version" in self.unused(filled, log)

    def test_another_programs_database(self, tmp_path: Path, log: Lines) -> None:
        file = tmp_path / "scores.sqlite"
        with sqlite3.connect(file) as sql:
            sql.execute("CREATE TABLE scores (player TEXT, points INTEGER)")
        sql.close()
        assert "another program's" in self.unused(file, log)


class TestNotUsable:
    """One line, and the job goes on."""

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path, log: Lines) -> None:
        (tmp_path / "file").touch()
        with ScoreStore.open(tmp_path / "file" / "scores", log=log) as store:
            assert not works(store)
            with pytest.raises(StoreError, match="cannot be used"):
                store.stats()
        assert len(log) == 1

    def test_a_folder_in_the_files_place(self, tmp_path: Path, log: Lines) -> None:
        (tmp_path / "scores.sqlite").mkdir()
        with ScoreStore.open(tmp_path, log=log) as store:
            assert not works(store)
        assert len(log) == 1

    @pytest.mark.parametrize("end", ["", "-wal", "-journal"])
    def test_a_pipe_in_a_files_place_is_not_waited_for(self, filled: Path, log: Lines, end: str) -> None:
        place = filled.with_name(filled.name + end)
        place.unlink(missing_ok=True)
        os.mkfifo(place)
        with ScoreStore.open(filled.parent, log=log) as store:
            assert not works(store)
        (line,) = log
        assert "is a pipe" in line

    def test_another_process_holds_the_file_from_the_start(self, filled: Path, log: Lines) -> None:
        holder = sqlite3.connect(filled, isolation_level=None)
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        try:
            with ScoreStore.open(filled.parent, log=log, busy_seconds=0.05) as store:
                assert wrong_and_missing(store) == (0, ROWS)
                assert not works(store)
        finally:
            holder.close()
        assert len(log) == 1
        assert "locked" in log[0]

    def test_another_process_writes_for_too_long(self, filled: Path, log: Lines) -> None:
        """Reading goes on; only this run's own scores are not kept."""
        holder = sqlite3.connect(filled, isolation_level=None)
        with ScoreStore.open(filled.parent, log=log, busy_seconds=0.05) as store:
            holder.execute("BEGIN IMMEDIATE")
            assert not works(store)
            assert not works(store)
            assert wrong_and_missing(store) == (0, 0)
        holder.close()
        assert len(log) == 1
        assert "not kept" in log[0]

    @pytest.mark.skipif(os.name != "posix", reason="file permissions and size limits of POSIX")
    @pytest.mark.parametrize("case", ["read-only file", "read-only folder", "version 1", "killed", "full disk"])
    def test_what_the_system_refuses(self, case: str, filled: Path) -> None:
        """In a process of its own, without root's rights and with a limit on file sizes standing in for the disk's.

        What is in the store is read all the same.
        """
        folder = Path(tempfile.mkdtemp())  # pytest's folders lie in one that is root's alone
        folder.chmod(0o755)
        filled = filled.rename(folder / filled.name)
        with sqlite3.connect(filled) as sql:
            if case == "version 1":
                sql.execute("DROP TABLE facts")
                sql.execute("DROP TABLE thumbnails")
                sql.execute("ALTER TABLE identity DROP COLUMN name")
                sql.execute("PRAGMA user_version = 1")
            if case == "killed":  # a job that was killed leaves its log
                sql.execute("INSERT INTO identity VALUES (1, '', '', 1, '')")
                sql.commit()
                log = filled.with_name("scores.sqlite-wal")
                content = log.read_bytes()
        sql.close()
        if case == "killed":
            log.write_bytes(content)
        if case != "full disk":
            filled.chmod(0o444)
            folder.chmod(0o777 if case == "read-only file" else 0o555)
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(REFUSED), str(folder), case],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        folder.chmod(0o755)
        shutil.rmtree(folder)
        assert result.returncode == 0, result.stderr + result.stdout
        assert result.stderr == ""
        (line,) = result.stdout.splitlines()
        assert line.startswith("this run's scores are not kept: "), line

    @pytest.mark.skipif(os.name != "posix", reason="size limits of POSIX")
    def test_a_new_store_on_a_full_disk_names_the_disk(self, tmp_path: Path) -> None:
        code = """
        import resource, sys
        from pathlib import Path
        from wd14.model.score_store.store import ScoreStore

        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        for _ in range(2):  # the second one finds what the first one left
            with ScoreStore.open(Path(sys.argv[1]), log=print):
                pass
        """
        command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        lines = result.stdout.splitlines()
        assert len(lines) == 2
        assert all("can only be read: d" in line for line in lines), lines  # disk I/O error, database or disk is full


REFUSED = """
    import hashlib, os, resource, sys
    import numpy as np
    from pathlib import Path
    from wd14.model.score_store.store import ScoreStore
    from wd14.types import Labels

    folder, case = Path(sys.argv[1]), sys.argv[2]
    if case == "full disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, 800_000))
    elif os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    labels = Labels(tuple(map(str, range(300))), ("rating",) * 4 + ("general",) * 296)
    values = np.linspace(0.01, 1, 300, dtype=np.float32)
    with ScoreStore.open(folder, log=lambda line: print(line)) as store:
        view = store.view("model", "kohya", labels)
        assert all(view.get(hashlib.sha256(b"%d" % i).digest()) is not None for i in range(1500))
        assert store.stats().scored == 1500
        for i in range(3000):
            view.put([(hashlib.sha256(b"%d" % i).digest(), values)])
"""
