"""The tables of the score store's SQLite file: making them, telling whether they are ours, bringing them up to date."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping

#: `PRAGMA application_id` of a score store: "WD14" in ASCII.
APPLICATION_ID = 0x57443134
#: `PRAGMA user_version`: raised whenever older code could not read the tables. Version 1 had a table for the time of
#: last use, and no names of models.
SCHEMA_VERSION = 2

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
_MARKS = (f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {SCHEMA_VERSION}")


def state(sql: sqlite3.Connection) -> tuple[int, int, int]:
    """(application id, layout version, number of tables): three zeros are a new file."""
    queries = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    application, version, tables = (int(sql.execute(query).fetchone()[0]) for query in queries)
    return application, version, tables


def create(sql: sqlite3.Connection) -> None:
    """Makes the tables."""
    for statement in (_IDENTITY, _SCORES, *_MARKS):
        sql.execute(statement)


def migrate(sql: sqlite3.Connection) -> None:
    """Brings the tables of version 1 to version 2."""
    sql.execute("DROP TABLE IF EXISTS block")
    if not has_names(sql):
        sql.execute(f"ALTER TABLE identity ADD COLUMN {_NAME}")
    for statement in _MARKS:
        sql.execute(statement)


def are_ours(sql: sqlite3.Connection) -> bool:
    """Whether a file holds these tables, of this version or of an older one, and nothing that acts by itself.

    A view or a trigger in their place could do anything, up to never coming to an end.
    """
    found: Mapping[str, str] = {
        str(name): _plain(text) if kind == "table" else str(kind)
        for kind, name, text in sql.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")
    }
    identity = found.get("identity")
    version = state(sql)[1]
    allowed = {"identity", "scores", "block"} if version < SCHEMA_VERSION else {"identity", "scores"}
    return (
        found.get("scores") == _plain(_SCORES)
        and (identity == _plain(_IDENTITY) or (identity == _plain(_OLD_IDENTITY) and version < SCHEMA_VERSION))
        and allowed.issuperset(found)
    )


def has_names(sql: sqlite3.Connection) -> bool:
    """Whether the names of models are kept: not in a file of version 1."""
    return ("name",) in sql.execute("SELECT name FROM pragma_table_info('identity')").fetchall()


def _plain(statement: object) -> str:
    """A statement without comments and spaces, as SQLite may keep it after a change."""
    return re.sub(r"--[^\n]*|\s+", "", str(statement))
