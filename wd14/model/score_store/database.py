"""The SQLite file under the score store: its tables, its connections, and what to do when it is damaged.

One table holds a row for each picture and identity. Rows are appended, so that what one run wrote lies
together; `row id // BLOCK` names a block of them, and only blocks have a time of last use. A re-run of
100,000 rows therefore stamps 400 blocks instead of rewriting 100,000 rows, and making room deletes
neighbours, which frees whole pages.

The file is in WAL mode: readers and one writer do not wait for each other, in this process or in others on
this machine. SQLite does not support WAL from several machines at once: the folder should be a local one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from wd14.errors import StoreError

#: `PRAGMA application_id` of a score store: "WD14" in ASCII.
APPLICATION_ID = 0x57443134
#: `PRAGMA user_version`: raised whenever older code could not read the tables.
SCHEMA_VERSION = 1
#: Rows that share one time of last use: about 180 KB, fine enough to make room, coarse enough to be free.
BLOCK = 256
#: Blocks that one write may delete, so that making room never holds a job up for long (about 5 ms a block).
_BLOCKS_PER_WRITE = 8
_DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_TABLES = """
CREATE TABLE identity (
    id INTEGER PRIMARY KEY,  -- hash of the three: the same in every file, so it can never mean another model
    model TEXT NOT NULL,
    preprocessing TEXT NOT NULL,
    tags INTEGER NOT NULL
);
CREATE TABLE scores (
    id INTEGER PRIMARY KEY,
    picture BLOB NOT NULL,   -- sha256 of the encoded picture
    identity INTEGER NOT NULL,
    packed BLOB NOT NULL,
    UNIQUE (picture, identity)
);
CREATE TABLE block (
    id INTEGER PRIMARY KEY,  -- scores.id // BLOCK
    used INTEGER NOT NULL    -- when a run last read or wrote a row of it, in seconds since 1970
);
"""


class DamagedStoreError(StoreError):
    """The file is no score store, or its pages are corrupt."""


class Identity(NamedTuple):
    """What scores belong to, beside the picture."""

    id: int
    model: str
    preprocessing: str
    tags: int


class StoredScores(NamedTuple):
    """One picture's scores on their way into the file."""

    picture: bytes
    identity: int
    packed: bytes


@contextmanager
def _typed(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors, as ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = DamagedStoreError if code in _DAMAGED_CODES else StoreError
        raise kind(f"{error} ({path})") from error
    except OSError as error:
        raise StoreError(f"{error.strerror or error} ({path})") from error


class _Connection:
    """A connection and the lock that keeps it from being closed while a thread uses it."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self.lock = threading.Lock()
        self.sql = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            # A commit survives kill -9; after a power cut the last ones may be missing, never torn.
            self.sql.execute("PRAGMA synchronous = NORMAL")
            self.sql.execute("PRAGMA trusted_schema = OFF")
            self.sql.execute("PRAGMA cell_size_check = ON")
        except BaseException:
            self.sql.close()
            raise

    def close(self) -> None:
        with self.lock:
            self.sql.close()


class ScoreFile:
    """Rows in, rows out. Every method may be called from any thread, and raises `StoreError` when it cannot.

    Args:
        path: the file; it and its folder are made when they are not there.
        max_bytes: size above which the least recently used blocks go.
        busy_seconds: how long to wait for another process's write.
    """

    def __init__(self, path: Path, *, max_bytes: int, busy_seconds: float) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._busy_seconds = busy_seconds
        self._stamp = int(time.time())  # one for the run: "last used" is as fine as a run
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[_Connection] = []
        self._closed = False
        self._writing = threading.Lock()
        with _typed(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self._connection() as sql:
                self._prepare(sql)
        except BaseException:
            self.close()
            raise
        #: Which file this is, should another process set it aside and begin a new one under the same name.
        self.inode = file_identity(path)

    def close(self) -> None:
        """Closes every thread's connection, waiting for the statement that each is at."""
        with self._lock:
            self._closed = True
            connections, self._connections = self._connections, []
        for connection in connections:
            with _typed(self.path):
                connection.close()

    def read(self, picture: bytes, identity: int) -> tuple[int, bytes] | None:
        """(block, packed scores) of a picture, or None."""
        with self._connection() as sql:
            row = sql.execute(
                "SELECT id, packed FROM scores WHERE picture = ? AND identity = ?", (picture, identity)
            ).fetchone()
        if row is None or not isinstance(row[1], bytes):
            return None
        return row[0] // BLOCK, row[1]

    def knows(self, identity: Identity) -> bool:
        """Whether rows of an identity were ever written."""
        with self._connection() as sql:
            return sql.execute("SELECT 1 FROM identity WHERE id = ?", (identity.id,)).fetchone() is not None

    def introduce(self, identity: Identity) -> None:
        """Notes what an identity's number stands for."""
        if not self.knows(identity):
            with self._connection() as sql:
                sql.execute("INSERT OR IGNORE INTO identity VALUES (?, ?, ?, ?)", identity)

    def write(self, rows: Sequence[StoredScores], used_blocks: Sequence[int] = ()) -> None:
        """Adds or replaces rows and stamps the blocks that were read, in one transaction: all or nothing."""
        with self._writing, self._connection() as sql, _transaction(sql):
            blocks = set(used_blocks)
            for row in rows:
                cursor = sql.execute("INSERT OR REPLACE INTO scores (picture, identity, packed) VALUES (?, ?, ?)", row)
                blocks.add((cursor.lastrowid or 0) // BLOCK)
            sql.executemany("INSERT OR REPLACE INTO block VALUES (?, ?)", [(block, self._stamp) for block in blocks])
            if rows:
                self._make_room(sql)

    def clear(self) -> int:
        """Removes every row and gives the space back; returns how many there were."""
        with self._writing, self._connection() as sql:
            with _transaction(sql):
                count = int(sql.execute("SELECT count(*) FROM scores").fetchone()[0])
                for table in ("scores", "block", "identity"):
                    sql.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above
            sql.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page only
            sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return count

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Number of rows by (model, preprocessing)."""
        with self._connection() as sql:
            found = sql.execute(
                "SELECT coalesce(model, '?'), coalesce(preprocessing, '?'), count(*) FROM scores"
                " LEFT JOIN identity ON identity.id = scores.identity GROUP BY scores.identity ORDER BY 1, 2"
            ).fetchall()
        return {(model, preprocessing): count for model, preprocessing, count in found}

    def oldest_use(self) -> int | None:
        """When the least recently used block was last used, in seconds since 1970."""
        with self._connection() as sql:
            found: int | None = sql.execute("SELECT min(used) FROM block").fetchone()[0]
        return found

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        with _typed(self.path):
            return sum(part.stat().st_size for part in parts_of(self.path) if part.exists())

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """The calling thread's connection."""
        with _typed(self.path):
            connection: _Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                with self._lock:
                    self._refuse_if_closed()
                    connection = _Connection(self.path, self._busy_seconds)
                    self._connections.append(connection)
                self._local.connection = connection
            with connection.lock:
                self._refuse_if_closed()
                yield connection.sql

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreError(f"the score store is closed ({self.path})")

    def _prepare(self, sql: sqlite3.Connection) -> None:
        """Makes the tables in a new file, or checks that the file is ours."""
        if self._state(sql) == (0, 0, 0):
            # Both must come before the first table; a process beside this one may be doing the same.
            sql.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _set_wal(sql, self._busy_seconds)
            with _transaction(sql):
                if self._state(sql) == (0, 0, 0):
                    for statement in _TABLES.split(";"):
                        sql.execute(statement)
                    sql.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    sql.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        application, version, _ = self._state(sql)
        if application != APPLICATION_ID:
            raise StoreError(f"the file is another program's database ({self.path})")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"a newer version made it: layout {version}, this one knows {SCHEMA_VERSION} ({self.path})"
            )
        columns = {name for (name,) in sql.execute("SELECT name FROM pragma_table_info('scores')")}
        if not {"id", "picture", "identity", "packed"} <= columns:
            raise DamagedStoreError(f"the tables are not there ({self.path})")
        sql.execute("SELECT id, used FROM block LIMIT 1").fetchall()

    @staticmethod
    def _state(sql: sqlite3.Connection) -> tuple[int, int, int]:
        """(application id, layout version, number of tables): three zeros are a new file."""
        queries = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        application, version, tables = (int(sql.execute(query).fetchone()[0]) for query in queries)
        return application, version, tables

    def _make_room(self, sql: sqlite3.Connection) -> None:
        """Deletes the least recently used blocks while there are too many bytes; pages are used again."""
        page = int(sql.execute("PRAGMA page_size").fetchone()[0])
        for _ in range(_BLOCKS_PER_WRITE):
            pages = int(sql.execute("PRAGMA page_count").fetchone()[0])
            free = int(sql.execute("PRAGMA freelist_count").fetchone()[0])
            if (pages - free) * page <= self._max_bytes:
                return
            oldest = sql.execute("SELECT id FROM block ORDER BY used, id LIMIT 1").fetchone()
            if oldest is None:
                return
            first = oldest[0] * BLOCK
            sql.execute("DELETE FROM scores WHERE id BETWEEN ? AND ?", (first, first + BLOCK - 1))
            sql.execute("DELETE FROM block WHERE id = ?", oldest)


@contextmanager
def _transaction(sql: sqlite3.Connection) -> Iterator[None]:
    """One write: all of it or nothing."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:  # SQLite ends it by itself when the disk is full
            sql.execute("ROLLBACK")
        raise


def _set_wal(sql: sqlite3.Connection, busy_seconds: float) -> None:
    """WAL mode, or the usual journal where it cannot be had. SQLite does not wait for others here."""
    give_up = time.monotonic() + busy_seconds
    while True:
        try:
            sql.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return


def parts_of(path: Path) -> tuple[Path, Path, Path]:
    """The files of a database: the log and its index first, the main one last."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"), path


def set_aside(path: Path, inode: tuple[int, int] | None) -> Path | None:
    """Renames a damaged database, which is kept, and returns its new name.

    Args:
        path: the main file.
        inode: (device, inode) of the file that was found damaged; when another is there now, another process
            has set it aside already and nothing is done.

    Raises:
        StoreError: it cannot be renamed.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    target = path.with_name(f"{path.name}.corrupt-{stamp}")
    number = 2
    while target.exists():
        target = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
        number += 1
    with _typed(path):
        if inode is None or file_identity(path) != inode:
            return None
        # The log goes first: left behind, SQLite would replay it into the new file.
        for part in parts_of(path):
            if part.exists():
                part.rename(target.with_name(target.name + part.name.removeprefix(path.name)))
    return target


def file_identity(path: Path) -> tuple[int, int] | None:
    """(device, inode) of a file, or None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
