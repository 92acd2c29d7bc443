"""The tables of the score store's SQLite file: making them, telling whether they are ours, bringing them up to date."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping

from wd14.model.score_store.stored import PICTURE_TABLES, PictureTable

#: `PRAGMA application_id` of a score store: "WD14" in ASCII.
APPLICATION_ID = 0x57443134
#: `PRAGMA user_version`: raised whenever older code could not read the tables. Version 1 had a table for the time of
#: last use, and no names of models; version 2 had no facts, version 3 no thumbnails.
SCHEMA_VERSION = 4
_FIRST_WITH_NAMES = 2

_SCORES = """
CREATE TABLE scores (
    id INTEGER PRIMARY KEY,
    picture BLOB NOT NULL,   -- sha256 of the encoded picture
    identity INTEGER NOT NULL,
    packed BLOB NOT NULL,
    UNIQUE (picture, identity)
)
"""
_OLD_IDENTITY = """
CREATE TABLE identity (
    id INTEGER PRIMARY KEY,  -- hash of the next three: the same in every file, so it can never mean another model
    model TEXT NOT NULL,     -- hash of the model's files
    preprocessing TEXT NOT NULL,
    tags INTEGER NOT NULL
)
"""
_NAME = "name TEXT NOT NULL DEFAULT ''"  # the model as the user wrote it
_IDENTITY = f"{_OLD_IDENTITY.rstrip().removesuffix(')')}, {_NAME})"
_PICTURES = """
CREATE TABLE {table} (
    id INTEGER PRIMARY KEY,
    picture BLOB NOT NULL UNIQUE,  -- sha256 of the encoded picture
    packed BLOB NOT NULL
)
"""
#: Since which version there is each.
_SINCE: Mapping[PictureTable, int] = {"facts": 3, "thumbnails": 4}
_MARKS = (f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {SCHEMA_VERSION}")


def state(sql: sqlite3.Connection) -> tuple[int, int, int]:
    """(application id, layout version, number of tables): three zeros are a new file."""
    queries = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    application, version, tables = (int(sql.execute(query).fetchone()[0]) for query in queries)
    return application, version, tables


def create(sql: sqlite3.Connection) -> None:
    """Makes the tables."""
    for statement in (_IDENTITY, _SCORES, *map(_picture_table, PICTURE_TABLES), *_MARKS):
        sql.execute(statement)


def migrate(sql: sqlite3.Connection) -> None:
    """Brings the tables of an older version up to date."""
    sql.execute("DROP TABLE IF EXISTS block")
    if not has_names(sql):
        sql.execute(f"ALTER TABLE identity ADD COLUMN {_NAME}")
    there = picture_tables(sql)
    for statement in (*(_picture_table(table) for table in PICTURE_TABLES if table not in there), *_MARKS):
        sql.execute(statement)


def are_ours(sql: sqlite3.Connection) -> bool:
    """Whether a file holds these tables, of this version or of an older one, and nothing that acts by itself.

    A view or a trigger in their place could do anything, up to never coming to an end.
    """
    found = {
        str(name): _plain(text) if kind == "table" else str(kind)
        for kind, name, text in sql.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*'")
    }
    version = state(sql)[1]
    expected = {"scores": {_plain(_SCORES)}, "identity": {_plain(_IDENTITY)}}
    if version < _FIRST_WITH_NAMES:
        expected["identity"].add(_plain(_OLD_IDENTITY))
        if found.get("block", "").startswith("CREATETABLE"):
            del found["block"]
    expected |= {table: {_plain(_picture_table(table))} for table, since in _SINCE.items() if version >= since}
    return found.keys() == expected.keys() and all(found[name] in texts for name, texts in expected.items())


def has_names(sql: sqlite3.Connection) -> bool:
    """Whether the names of models are kept: not in a file of version 1."""
    return ("name",) in sql.execute("SELECT name FROM pragma_table_info('identity')").fetchall()


def picture_tables(sql: sqlite3.Connection) -> frozenset[str]:
    """Which tables of what belongs to pictures there are: not all in a file of an older version."""
    return frozenset(str(name) for (name,) in sql.execute("SELECT name FROM sqlite_master")) & frozenset(PICTURE_TABLES)


def _picture_table(table: PictureTable) -> str:
    return _PICTURES.format(table=table)


def _plain(statement: object) -> str:
    """A statement without comments and spaces, as SQLite may keep it after a change."""
    return re.sub(r"--[^\n]*|\s+", "", str(statement))
