"""The SQLite file under the score store: its tables, its connections, and what to do when it is damaged.

One table holds a row for each picture and identity (model and preprocessing); others one for each picture's facts and
one for its thumbnail.
The file is in WAL mode: readers and one writer do not wait for each other, in this process or in others on this
machine. SQLite does not support WAL from several machines at once: the folder should be a local one.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from wd14.errors import StoreError
from wd14.model.score_store import schema
from wd14.model.score_store.stored import PICTURE_TABLES, Identity, PictureTable, StoredCount, StoredScores
from wd14.regular_files import kind_of, mode_of

_DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
#: What SQLite answers where a file can only be read: rights, a read-only disk, a full one.
_READ_ONLY_CODES = (
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR),
)


#: Pictures that are asked for at once: SQLite's own limit was 999 for long.
_MOST_ASKED = 500
#: Thumbnails that are kept, the newest; about 200 MB. A run makes up to 30,000.
MOST_THUMBNAILS = 40_000

#: What is cleared of each table where everything is.
_ALL: Mapping[str, str] = dict.fromkeys(("scores", "identity", *PICTURE_TABLES), "")
_NOTHING: Mapping[PictureTable, Mapping[bytes, bytes]] = MappingProxyType({})


class DamagedStoreError(StoreError):
    """The file is no score store, or its pages are corrupt."""


class _ReadOnlyError(StoreError):
    """The file cannot be opened for writing."""


@contextmanager
def _typed(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors, as ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = DamagedStoreError if code in _DAMAGED_CODES else StoreError
        kind = _ReadOnlyError if code in _READ_ONLY_CODES else kind
        raise kind(f"{error} ({path})") from error
    except OSError as error:
        raise _ReadOnlyError(f"{error.strerror or error} ({path})") from error


class ScoreDatabase:
    """Rows in, rows out. Every method may be called from any thread, and raises `StoreError` when it cannot.

    Where the file or its folder cannot be written to, what is in the file can still be read.

    Args:
        path: the file; it and its folder are made when they are not there.
        max_bytes: size from which on nothing more is written.
        busy_seconds: how long to wait for another process's write.
    """

    def __init__(self, path: Path, *, max_bytes: int, busy_seconds: float) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()
        self._sql: sqlite3.Connection | None = None
        self._refusal: StoreError | None = None  # why nothing can be written
        self._tables: frozenset[str] = frozenset()  # an old file that can only be read lacks some
        for part in (*parts_of(path), path.with_name(f"{path.name}-journal")):
            mode = mode_of(part)
            if mode and not stat.S_ISREG(mode):  # SQLite would wait for a pipe's other end
                raise StoreError(f"{part} is {kind_of(mode)}, not a file")
        try:
            with _typed(path):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open(str(path), writable=True)
        except _ReadOnlyError as error:
            self._refusal = StoreError(f"the file can only be read: {error}")
            if not mode_of(path):
                raise
            self._open_to_read()

    def _open_to_read(self) -> None:
        """Opens a file that cannot be written to.

        Readers of a file in WAL mode write into its folder. Where even that is not allowed, the file is opened as one
        that does not change: the rows that only the log has, if any, are not found then.
        """
        drive = "/" if self.path.drive else ""
        place = "file:" + quote(os.fsencode(drive + self.path.as_posix()))
        try:
            self._open(f"{place}?mode=ro", writable=False)
        except _ReadOnlyError:
            self._open(f"{place}?mode=ro&immutable=1", writable=False)

    def _open(self, place: str, *, writable: bool) -> None:
        with _typed(self.path):
            self._sql = sqlite3.connect(
                place, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False, uri=not writable
            )
        try:
            with self._connection() as sql:
                # A commit survives kill -9; after a power cut the last ones may be missing, never torn.
                for setting in ("synchronous = NORMAL", "trusted_schema = OFF", "cell_size_check = ON"):
                    sql.execute(f"PRAGMA {setting}")
                self._prepare(sql, writable=writable)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the file, waiting for the statement that another thread is at."""
        with self._lock, _typed(self.path):
            if self._sql is not None:
                self._sql.close()
                self._sql = None

    def read_scores(self, pictures: Sequence[bytes], identity: int) -> dict[bytes, bytes]:
        """The packed scores of pictures, where there are some."""
        return self._read("scores WHERE identity = ? AND", (identity,), pictures)

    def read_pictures(self, table: PictureTable, pictures: Sequence[bytes]) -> dict[bytes, bytes]:
        """The packed facts or thumbnails of pictures, where there are some."""
        return self._read(f"{table} WHERE", (), pictures) if table in self._tables else {}

    def _read(self, rows: str, values: tuple[int, ...], pictures: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for part in (pictures[start : start + _MOST_ASKED] for start in range(0, len(pictures), _MOST_ASKED)):
            marks = ", ".join("?" * len(part))
            query = f"SELECT picture, packed FROM {rows} picture IN ({marks})"  # noqa: S608 - the words above
            with self._connection() as sql:
                found |= {key: packed for key, packed in sql.execute(query, (*values, *part)) if type(packed) is bytes}
        return found

    def knows(self, identity: Identity) -> bool:
        """Whether rows of an identity were ever written."""
        with self._connection() as sql:
            return sql.execute("SELECT 1 FROM identity WHERE id = ?", (identity.id,)).fetchone() is not None

    def write(
        self,
        rows: Sequence[StoredScores],
        identities: Sequence[Identity],
        pictures: Mapping[PictureTable, Mapping[bytes, bytes]] = _NOTHING,
    ) -> None:
        """Adds or replaces rows, and notes what their identities stand for, in one transaction: all or nothing.

        Facts and thumbnails that are there already are not written again; of thumbnails the oldest go when there are
        more than `MOST_THUMBNAILS`.

        Raises:
            StoreError: the file has reached its size limit, or cannot be written.
        """
        self._check_writable()
        with self._connection() as sql, _transaction(sql):
            self._check_room(sql)
            sql.executemany(
                "INSERT INTO identity (id, model, preprocessing, tags, name) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
                identities,
            )
            sql.executemany("INSERT OR REPLACE INTO scores (picture, identity, packed) VALUES (?, ?, ?)", rows)
            for table, packed in pictures.items():
                sql.executemany(
                    f"INSERT INTO {table} (picture, packed) VALUES (?, ?) ON CONFLICT (picture)"  # noqa: S608
                    " DO UPDATE SET packed = excluded.packed WHERE packed != excluded.packed",
                    packed.items(),
                )
            if pictures.get("thumbnails"):
                newest = "SELECT max(id) FROM thumbnails"
                sql.execute(f"DELETE FROM thumbnails WHERE id <= ({newest}) - ?", (MOST_THUMBNAILS,))  # noqa: S608

    def clear(self, name: str | None = None) -> int:
        """Removes everything, or a model's scores, and gives the space back; returns how many pictures had scores.

        Args:
            name: the model, as `counts` gives it; None = everything.
        """
        self._check_writable()
        own = "" if name is None else " IN (SELECT id FROM identity WHERE name = :name)"
        tables = {"scores": f" WHERE identity{own}", "identity": f" WHERE id{own}"} if own else _ALL
        count = f"SELECT count(DISTINCT picture) FROM scores{tables['scores']}"  # noqa: S608 - the words above
        with self._connection() as sql:
            with _transaction(sql):
                scored = int(sql.execute(count, {"name": name}).fetchone()[0])
                for table, where in tables.items():
                    sql.execute(f"DELETE FROM {table}{where}", {"name": name})  # noqa: S608 - likewise
            sql.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page only
            sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return scored

    def counts(self) -> list[StoredCount]:
        """Number of rows by model and preprocessing."""
        with self._connection() as sql:
            name = "coalesce(name, '')" if schema.has_names(sql) else "''"
            found = sql.execute(
                f"SELECT {name}, coalesce(model, '?'), coalesce(preprocessing, '?'), count(*) FROM scores"  # noqa: S608
                " LEFT JOIN identity ON identity.id = scores.identity GROUP BY scores.identity ORDER BY 1, 2, 3"
            ).fetchall()
        return [StoredCount(*row) for row in found]

    def scored_pictures(self) -> int:
        """Number of pictures with scores, of whatever models; half a second for a million."""
        with self._connection() as sql:
            return int(sql.execute("SELECT count(DISTINCT picture) FROM scores").fetchone()[0])

    def count_pictures(self, table: PictureTable) -> int:
        """Number of pictures whose facts, or thumbnails, are kept."""
        with self._connection() as sql:
            if table not in self._tables:
                return 0
            return int(sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - one of two names

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        with _typed(self.path):
            return sum(part.stat().st_size for part in parts_of(self.path) if part.exists())

    def is_sound(self) -> bool:
        """Whether SQLite finds nothing wrong in the whole file."""
        with self._connection() as sql:
            return [row[0] for row in sql.execute("PRAGMA quick_check(1)")] == ["ok"]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time."""
        with self._lock, _typed(self.path):
            if self._sql is None:
                raise StoreError(f"the score store is closed ({self.path})")
            yield self._sql

    def _prepare(self, sql: sqlite3.Connection, *, writable: bool) -> None:
        """Makes the tables in a new file, or checks that the file is ours and brings it up to date."""
        if writable and schema.state(sql) == (0, 0, 0):
            # Both must come before the first table; a process beside this one may be doing the same.
            sql.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _set_wal(sql, self._busy_seconds)
            with _transaction(sql):
                if schema.state(sql) == (0, 0, 0):
                    schema.create(sql)
        application, version, tables = schema.state(sql)
        if application != schema.APPLICATION_ID:
            if self._refusal is not None and not tables:  # new: there is nothing in it to read
                raise self._refusal
            raise StoreError(f"the file is another program's database ({self.path})")
        if version > schema.SCHEMA_VERSION:
            raise StoreError(
                f"a newer version made it: layout {version}, this one knows {schema.SCHEMA_VERSION} ({self.path})"
            )
        if not schema.are_ours(sql):
            raise DamagedStoreError(f"the tables are not those of a score store ({self.path})")
        if writable and version < schema.SCHEMA_VERSION:
            with _transaction(sql):
                if schema.state(sql)[1] < schema.SCHEMA_VERSION:  # unless a process beside this one was quicker
                    schema.migrate(sql)
        self._tables = schema.picture_tables(sql)

    def _check_writable(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _check_room(self, sql: sqlite3.Connection) -> None:
        page, pages, free = (
            int(sql.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_size", "page_count", "freelist_count")
        )
        used = (pages - free) * page
        if used >= self._max_bytes:
            raise StoreError(
                f"the score store has reached its limit of {self._max_bytes / 1e6:,.0f} MB;"
                " 'wd14-captioner cache --clear' forgets its scores and makes room, --clear-model those of one model"
            )


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


def set_aside(path: Path) -> Path:
    """Renames a damaged database, which is kept, and returns its new name.

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
        # The log goes first: left behind, SQLite would replay it into the new file.
        for part in parts_of(path):
            if part.exists():
                part.rename(target.with_name(target.name + part.name.removeprefix(path.name)))
    return target
