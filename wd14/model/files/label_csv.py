"""Label files that are tables or lists: `selected_tags.csv` (WD14, PixAI, animetimm) and one tag a line (JoyTag)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from wd14.errors import LabelsError
from wd14.model.files.label_rows import MOST_TAGS, LabelRows, shortened, threshold_of

#: Digits.
_LONGEST_COUNT = 12


def rows_of_csv(path: Path, text: str) -> LabelRows:
    """The rows of a CSV with a header.

    The columns `name` and `category` are read, and `count` and `best_threshold` where there are any, in any place; all
    others are passed over.

    Raises:
        LabelsError: a column or a cell is missing, a threshold is none, or there are too many tags.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    rows = LabelRows()
    try:
        name_at, category_at, count_at, threshold_at = _columns(path, next(reader, []))
        for row in reader:
            if not row:
                continue
            if len(row) <= max(name_at, category_at) or not row[name_at].strip():
                found = shortened(",".join(row))
                raise LabelsError(f"{path}, line {reader.line_num}: expected a name and a category, found {found!r}")
            check_number(path, len(rows.names) + 1)
            if -1 < threshold_at < len(row):
                threshold = threshold_of(row[threshold_at], path, f"line {reader.line_num}, best_threshold")
                if threshold is not None:
                    rows.thresholds[len(rows.names)] = threshold
            rows.names.append(row[name_at].strip())
            rows.categories.append(row[category_at])
            rows.counts.append(_count(row[count_at]) if -1 < count_at < len(row) else 0)
    except csv.Error as error:
        raise LabelsError(f"{path}, line {reader.line_num}: not a CSV file ({error})") from error
    if not rows.names:
        raise LabelsError(f"{path} holds a header and no tags")
    return rows


def rows_of_lines(path: Path, text: str) -> LabelRows:
    """The rows of a list with one tag a line; empty lines do not count.

    Raises:
        LabelsError: there are too many tags.
    """
    names = [line.strip() for line in text.splitlines() if line.strip()]
    check_number(path, len(names))
    return LabelRows(names, [""] * len(names))


def check_number(path: Path, tags: int) -> None:
    """Raises `LabelsError` where a file has more tags than any tagger."""
    if tags > MOST_TAGS:
        raise LabelsError(f"{path} has more than {MOST_TAGS:,} tags; no tagger has so many")


def _columns(path: Path, first: Sequence[str]) -> tuple[int, int, int, int]:
    """The places of `name`, `category`, `count` and `best_threshold`; -1 where one of the last two is missing."""
    header = [column.strip().lower() for column in first]
    missing = [column for column in ("name", "category") if column not in header]
    if missing:
        raise LabelsError(
            f"{path} has no column {' and no column '.join(map(repr, missing))}; expected a header such as"
            f" tag_id,name,category,count, found {shortened(','.join(header))!r}"
        )
    count, threshold = (header.index(column) if column in header else -1 for column in ("count", "best_threshold"))
    return header.index("name"), header.index("category"), count, threshold


def _count(text: str) -> int:
    """A number of pictures; 0 where a file has something else there, for captions do not depend on it."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_COUNT else 0
