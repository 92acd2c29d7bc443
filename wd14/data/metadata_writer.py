"""Writes the `metadata.jsonl` of every split such that `datasets` loads what was written.

Kept columns come with any name and any value. Those that would not load get another name or become JSON text, and this
is said.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import IO, Any

from wd14.data.loaded_types import (
    FLOAT,
    TEXT,
    ListOf,
    LoadedTypes,
    ObjectOf,
    Type,
    has_own_meaning,
    type_of,
    type_of_text,
)
from wd14.data.sources.values import encodable, excerpt
from wd14.text import listed
from wd14.types import Log

_SCORES = "scores"

#: Columns that the output has itself, beside the captions.
_OWN_COLUMNS = frozenset({"file_name", "image", _SCORES})

#: Columns that a line of the log names.
_MOST_NAMED = 20

#: `json.dumps` makes a new encoder in every call with other options than its defaults (benchmarks: rerun).
_to_json = json.JSONEncoder(ensure_ascii=False).encode


class MetadataWriter:
    """The metadata files of an output; each lies in the folder of its split.

    Args:
        caption_column: the column of captions.
        log: is told which columns are not written as they came.
        tick: is called before each line that is written anew; what it raises ends the writing.

    Raises (in every method):
        OSError: a file cannot be written.
    """

    def __init__(self, caption_column: str, log: Log, tick: Callable[[], None]) -> None:
        self._caption_column = caption_column
        self._log = log
        self._tick = tick
        self._names = _ColumnNames(_OWN_COLUMNS | {caption_column}, log)
        self._types = LoadedTypes()
        self._files: dict[Path, IO[bytes]] = {}

    def open(self, folder: Path) -> None:
        """Begins the file of a split, unless it was begun."""
        if folder not in self._files:
            self._files[folder] = (folder / "metadata.jsonl").open("wb")

    def add(
        self,
        folder: Path,
        file_name: str,
        caption: str,
        columns: Mapping[str, Any],
        scores: Iterable[tuple[str, float]] | None,
    ) -> None:
        """Writes the line of a row."""
        line: dict[str, Any] = {"file_name": file_name, self._caption_column: caption}
        types: dict[str, Type] = {self._caption_column: type_of_text(caption)}
        if columns:
            names = self._names.of(columns)
            for key, value in columns.items():
                line[names[key]] = value
                types[names[key]] = type_of(value)
        if scores is not None:
            # A list of pairs and not an object: readers would make a column of every tag.
            line[_SCORES] = [{"tag": tag, "score": score} for tag, score in scores]
            types[_SCORES] = _type_of_scores(line[_SCORES])
        data = _line(line)
        self._files[folder].write(data)
        self._types.add(str(folder), types, len(data))

    def finish(self) -> None:
        """Completes the files."""
        for file in self._files.values():
            file.close()
        self._types.end()
        as_text: set[str] = set()
        # Longer lines are read in other parts, which may show another column to be unloadable.
        while unloadable := set(self._types.unloadable()) - as_text - {self._caption_column}:
            self._types = LoadedTypes()
            for folder in self._files:
                self._write_as_text(folder, unloadable)
            self._types.end()
            as_text |= unloadable
        for folder in self._files:
            with (folder / "metadata.jsonl").open("rb+") as file:
                os.fsync(file.fileno())
        self._say(as_text)

    def close(self) -> None:
        """Closes the files of an output that is given up."""
        for file in self._files.values():
            with contextlib.suppress(OSError):  # a full disk cannot take what is still buffered
                file.close()

    def _write_as_text(self, folder: Path, names: Collection[str]) -> None:
        """Writes a split's file anew, with columns as JSON text in every line."""
        old, new = folder / "metadata.jsonl", folder / "metadata.jsonl.new"
        with old.open("rb") as lines, new.open("wb") as file:
            for each in lines:
                self._tick()
                line = json.loads(each)
                for name in names:
                    line[name] = _to_json(line.get(name))
                data = _line(line)
                file.write(data)
                types = {name: type_of(value) for name, value in line.items() if name != "file_name"}
                self._types.add(str(folder), types, len(data))
        new.replace(old)

    def _say(self, as_text: Collection[str]) -> None:
        caption = self._caption_column
        if as_text:
            self._log(f"Written as JSON text, since `datasets` would not load them as they are: {_shown(as_text)}")
        dates = set(self._types.dates()) - {caption}
        if dates:
            self._log(f"Only dates, which `datasets` loads as dates and not as text: {_shown(dates)}")
        if caption in self._types.dates() or caption in self._types.unloadable():
            self._log(
                "Captions that are a date and nothing else: `datasets` does not load them as text."
                " Add a word to them (trigger_words)."
            )


def _line(values: Mapping[str, Any]) -> bytes:
    # A lone surrogate, which no UTF-8 file can hold, becomes a question mark.
    return (_to_json(values) + "\n").encode("utf-8", "replace")


def _type_of_scores(scores: list[dict[str, Any]]) -> Type:
    """As `type_of`, which would look at every score of every row."""
    if scores and type_of_text(scores[0]["tag"]) == TEXT:
        return ListOf(ObjectOf((("score", FLOAT), ("tag", TEXT))))
    return type_of(scores)


def _shown(columns: Iterable[str]) -> str:
    return listed([excerpt(column) for column in sorted(columns)], _MOST_NAMED)


class _ColumnNames:
    """Names of kept columns in the output: their own, unless the output has a column of that name or it cannot load."""

    def __init__(self, taken: Collection[str], log: Log) -> None:
        self._taken = set(taken)
        self._log = log
        self._names: dict[str, str] = {}

    def of(self, columns: Iterable[str]) -> Mapping[str, str]:
        """The names of (at least) some columns."""
        new = [name for name in columns if name not in self._names]
        if new:
            self._add(new)
        return self._names

    def _add(self, names: list[str]) -> None:
        wanted = {name: _loadable(name) for name in names}
        # Names that can stay come first, so that no other column takes them.
        for name in sorted(names, key=lambda name: wanted[name] != name or name in self._taken):
            self._names[name] = self._free(wanted[name])
            self._taken.add(self._names[name])
        renamed = [name for name in names if self._names[name] != name]
        if renamed:
            pairs = [f"{excerpt(name)} -> {excerpt(self._names[name])}" for name in renamed]
            self._log(
                f"Renamed, since the output or `datasets` has another use for the name: {listed(pairs, _MOST_NAMED)}"
            )

    def _free(self, name: str) -> str:
        if name not in self._taken:
            return name
        return next(
            free for number in count(1) if (free := f"{name}_source{number if number > 1 else ''}") not in self._taken
        )


def _loadable(name: str) -> str:
    """A name that `datasets` takes for a column's and no more; Arrow's end at a NUL, UTF-8 has no lone surrogates."""
    name = encodable(name).replace("\0", "?")
    return f"{name}_source" if has_own_meaning(name) else name
