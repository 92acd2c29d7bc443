"""Files of thresholds that a model's author publishes beside it -> `Published`."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wd14.errors import LabelsError
from wd14.model.files.description import LabelsDescription
from wd14.model.files.label_json import parsed
from wd14.model.files.label_rows import category_name, shortened, threshold_of
from wd14.model.files.labels import content_of, decoded
from wd14.published import Published
from wd14.types import UNUSED, Labels

_CategoryOf = Callable[[str], str]

#: Camie v1: where one number is to serve for a category, its author's demo takes these.
_CAMIE_MODE = "balanced"


def hashed_thresholds(
    path: Path, labels: Labels, description: LabelsDescription | None = None
) -> tuple[Published, str]:
    """The thresholds of a file, and the sha256 of the bytes that were read.

    A `.json` file is one of

    - PixAI v1.0's `config.json`: `category_best_threshold` `{category: number}`, `tags_best_threshold`, a list in the
      order of the outputs or `{tag: number}`, where null means that there is none;
    - OppaiOracle's `pr_thresholds.json`: a report, of which the threshold where macro precision equals recall is taken
      for all categories, and `pr_threshold` of each tag where it has the table of them;
    - Camie v1's `threshold.json`: `{category: {mode: {"threshold": number}}}`, of which `balanced` is taken.

    Every other file is a CSV with a column `threshold`, and `tag` for single tags, or else `category` (as in the label
    file) or `name`. Of several rows for one the first counts. Tags that the labels do not have are passed over.

    Args:
        path: the file.
        labels: the model's.
        description: of the label file; its words for categories count here too.

    Raises:
        ModelNotFoundError: there is no such file.
        LabelsError: it is of no such form, or a threshold in it is none.
    """
    data = content_of(path, "file of thresholds")
    text = decoded(path, data, "list of thresholds")
    ours = {} if description is None else {key.strip().lower(): name for key, name in description.categories.items()}

    def category_of(theirs: str) -> str:
        return ours.get(theirs.strip().lower()) or category_name(theirs)

    read = _from_json if path.suffix.lower() == ".json" else _from_csv
    by_category, by_tag = read(path, text, category_of)
    categories = {name: value for name, value in by_category.items() if value is not None}
    tags = _by_position(path, by_tag, labels)
    if not categories and not tags:
        found = f"those of {len(by_tag):,} tags that the model does not have" if by_tag else "none"
        raise LabelsError(f"{path}: expected thresholds of the model's tags or categories, found {found}")
    return Published(categories, tags), hashlib.sha256(data).hexdigest()


_Read = tuple[Mapping[str, float | None], Mapping[int | str, float | None]]
"""By category; by position or name of a tag. None = the file has none."""


def _by_position(path: Path, by_tag: Mapping[int | str, float | None], labels: Labels) -> dict[int, float]:
    """The thresholds of the tags that the labels have."""
    numbers = [tag for tag in by_tag if isinstance(tag, int)]
    if numbers and len(numbers) != len(labels):
        raise LabelsError(
            f"{path} has thresholds for {len(numbers):,} outputs, and the model has {len(labels):,} tags; it is another"
            " model's"
        )
    places = {name: place for place, name in enumerate(labels.names)} if by_tag else {}
    found = {tag if isinstance(tag, int) else places.get(tag, -1): value for tag, value in by_tag.items()}
    return {
        place: value
        for place, value in found.items()
        if place >= 0 and value is not None and labels.categories[place] != UNUSED
    }


def _from_csv(path: Path, text: str, category_of: _CategoryOf) -> _Read:
    by_category: dict[str, float | None] = {}
    by_tag: dict[int | str, float | None] = {}
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        key = next((column for column in ("tag", "category", "name") if column in header), None)
        if key is None or "threshold" not in header:
            raise LabelsError(
                f"{path}: expected a header with threshold and tag, category or name, found"
                f" {shortened(','.join(header))!r}"
            )
        key_at, threshold_at = header.index(key), header.index("threshold")
        for row in filter(None, reader):
            if len(row) <= max(key_at, threshold_at) or not row[key_at].strip():
                found = shortened(",".join(row))
                raise LabelsError(f"{path}, line {reader.line_num}: expected {key} and threshold, found {found!r}")
            value = threshold_of(row[threshold_at], path, f"line {reader.line_num}, threshold")
            if key == "tag":
                by_tag.setdefault(row[key_at].strip(), value)
            else:
                by_category.setdefault(category_of(row[key_at]), value)
    except csv.Error as error:
        raise LabelsError(f"{path}, line {reader.line_num}: not a CSV file ({error})") from error
    return by_category, by_tag


def _from_json(path: Path, text: str, category_of: _CategoryOf) -> _Read:
    content = parsed(path, text)
    if isinstance(content, dict):
        if "category_best_threshold" in content or "tags_best_threshold" in content:
            return _best(path, content, category_of)
        if "macro_single_threshold" in content or "per_tag" in content:
            return _report(path, content)
        if content and all(isinstance(value, dict) and _CAMIE_MODE in value for value in content.values()):
            return _modes(path, content, category_of), {}
    raise LabelsError(
        f"{path}: expected category_best_threshold (PixAI), macro_single_threshold (OppaiOracle) or"
        f' {{category: {{"{_CAMIE_MODE}": …}}}} (Camie), found {shortened(text)!r}'
    )


def _best(path: Path, content: Mapping[str, Any], category_of: _CategoryOf) -> _Read:
    by_category = {
        category_of(name): threshold_of(value, path, f"category_best_threshold {shortened(name)}")
        for name, value in _table(path, content, "category_best_threshold").items()
    }
    tags = content.get("tags_best_threshold")
    each = enumerate(tags) if isinstance(tags, list) else _table(path, content, "tags_best_threshold").items()
    return by_category, {tag: threshold_of(value, path, f"tags_best_threshold {tag}") for tag, value in each}


def _report(path: Path, content: Mapping[str, Any]) -> _Read:
    single = _at(content, "macro_single_threshold", "support_ge_1", "pr_breakeven", "threshold")
    by_category = {"all": threshold_of(single, path, "macro_single_threshold support_ge_1 pr_breakeven")}
    table = _at(content, "per_tag", "per_tag")
    by_tag: dict[int | str, float | None] = {
        tag: threshold_of(_at(value, "pr_threshold"), path, f"per_tag {shortened(tag)} pr_threshold")
        for tag, value in (table.items() if isinstance(table, dict) else ())
    }
    if not by_tag and by_category["all"] is None:
        raise LabelsError(
            f"{path}: expected macro_single_threshold.support_ge_1.pr_breakeven.threshold, or per_tag.per_tag, found"
            " neither"
        )
    return by_category, by_tag


def _modes(path: Path, content: Mapping[str, Any], category_of: _CategoryOf) -> Mapping[str, float | None]:
    return {
        "all" if name == "overall" else category_of(name): threshold_of(
            _at(value, _CAMIE_MODE, "threshold"), path, f"{shortened(name)} {_CAMIE_MODE} threshold"
        )
        for name, value in content.items()
    }


def _table(path: Path, content: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = content.get(field) or {}
    if not isinstance(value, dict):
        raise LabelsError(f"{path}, {field}: expected an object with thresholds, found {shortened(str(value))!r}")
    return value


def _at(content: Any, *path: str) -> Any:
    """What lies at a path of keys; None where there is nothing."""
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content
