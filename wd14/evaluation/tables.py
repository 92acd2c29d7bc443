"""The files of an evaluation: the numbers of all tags, and thresholds as the parameter `tag_thresholds` takes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from wd14.errors import OutputError
from wd14.evaluation.result import Result, TagResult
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


def thresholds(result: Result) -> str:
    """The CSV of the chosen thresholds. Tags that no caption has and that are never kept are not in it."""
    return _table(
        THRESHOLD_COLUMNS,
        (
            [tag.tag, tag.category, f"{tag.chosen:g}", str(tag.support), _share(tag.f1_chosen), _share(tag.f1)]
            for tag in result.tags()
            if tag.chosen is not None
        ),
    )


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


def check_place(path: Path, columns: Sequence[str]) -> None:
    """Refuses a file that cannot be written, before any work is done. One of an earlier evaluation may be replaced.

    Raises:
        OutputError: something else is there, or no folder to write it into.
    """
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: {path.parent} is no folder")
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


def write(path: Path, text: str) -> None:
    """Writes a file; an older one is replaced in one step.

    Raises:
        OutputError: it cannot be written.
    """
    aside = path.with_name(f"{path.name}.new")
    try:
        try:
            aside.write_text(text, "utf-8", newline="")
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
