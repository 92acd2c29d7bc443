"""The files of an evaluation: the numbers of all tags, and thresholds as the parameter `tag_thresholds` takes them."""

from __future__ import annotations

import csv
import io
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wd14.errors import ConfigError, OutputError
from wd14.evaluation.result import Result, TagResult
from wd14.place_files import put_in_place
from wd14.regular_files import mode_of, open_file

#: How the two files begin: one that does is ours, and is replaced.
ALL_COLUMNS = (
    *("tag", "category", "support", "kept", "precision", "recall", "f1"),
    *("threshold_in_use", "best_threshold", "threshold", "f1_with_threshold"),
)
THRESHOLD_COLUMNS = ("tag", "category", "threshold", "support", "f1", "f1_in_use")


def all_numbers(result: Result) -> str:
    """The CSV of all tags that a caption has or that are kept, the most frequent first."""
    return _table(ALL_COLUMNS, map(_numbers, result.tags()))


def thresholds(result: Result, own: Mapping[str, str]) -> str:
    """The CSV of the chosen thresholds. Tags that no caption has and that are never kept are not in it.

    Args:
        result: an evaluation's.
        own: thresholds in use that a person set for single tags, as a file has them. They stay where nothing better
            was found, so that the file can take the place of the one in use.
    """
    return _table(THRESHOLD_COLUMNS, _thresholds(result, own))


def _thresholds(result: Result, own: Mapping[str, str]) -> Iterable[Sequence[str]]:
    left = dict(own)
    for tag in result.tags():
        stays = left.pop(tag.tag, None)
        threshold = stays if tag.chosen is None else f"{tag.chosen:g}"
        if threshold is not None:
            yield tag.tag, tag.category, threshold, str(tag.support), _share(tag.f1_chosen), _share(tag.f1)
    categories = dict(zip(result.labels.names, result.labels.categories, strict=True))
    for name, threshold in left.items():
        yield name, categories[name], threshold, "0", "", ""


def _numbers(tag: TagResult) -> list[str]:
    shares = map(_share, (tag.precision, tag.recall, tag.f1))
    edges = ("" if edge is None else f"{edge:g}" for edge in (tag.threshold, tag.best, tag.chosen))
    return [tag.tag, tag.category, str(tag.support), str(tag.kept), *shares, *edges, _share(tag.f1_chosen)]


def _share(number: float) -> str:
    return f"{number:.4f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def check_places(thresholds: Path | None, numbers: Path | None) -> None:
    """Refuses files that cannot be written, before any work is done. One of an earlier evaluation may be replaced.

    Args:
        thresholds: the file of the chosen thresholds; None = none is written.
        numbers: that of all tags, the same.

    Raises:
        ConfigError: the file of thresholds has a name that `tag_thresholds` would not take for a file, or both are one.
        OutputError: something else is there, or no folder to write it into.
    """
    if thresholds is not None and thresholds.suffix.lower() != ".csv":
        raise ConfigError(
            f"--thresholds-out is {thresholds}: a file of thresholds wants a name that ends in .csv, by which"
            " --tag-thresholds knows it from a list"
        )
    if thresholds is not None and thresholds == numbers:
        raise ConfigError(f"--thresholds-out and --csv are both {thresholds}: give each a file of its own")
    for path, columns in ((thresholds, THRESHOLD_COLUMNS), (numbers, ALL_COLUMNS)):
        if path is not None:
            _check_place(path, columns)


def _check_place(path: Path, columns: Sequence[str]) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: {path.parent} is no folder")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be written: nothing may be written into {path.parent}")
    beginning = ",".join(columns).encode() + b"\n"
    try:
        if mode_of(path):
            with open_file(path) as file:
                if file.read(len(beginning)) == beginning:
                    return
        elif not path.is_symlink() and not path.exists():
            return
    except OSError as error:
        raise OutputError(f"{path} cannot be replaced: {error.strerror or error}") from error
    raise OutputError(f"{path} is there already, and is no file of an evaluation: choose another name")


def write_table(path: Path, columns: Sequence[str], text: str) -> None:
    """Writes one of the two files, unless something else has come to its name meanwhile.

    Raises:
        OutputError: it cannot be written.
    """
    _check_place(path, columns)
    write(path, text)


def write(path: Path, text: str) -> None:
    """Writes a file; an older one is replaced in one step.

    Raises:
        OutputError: it cannot be written.
    """
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with aside.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)
        put_in_place(aside, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
