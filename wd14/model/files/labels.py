"""Label files -> `Labels`: what each output of a model stands for, whatever the form in which a family writes it."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from wd14.errors import LabelsError, ModelNotFoundError
from wd14.model.files.description import LabelsDescription
from wd14.model.files.label_csv import rows_of_csv, rows_of_lines
from wd14.model.files.label_json import form_of, parsed, rows_of_blocks, rows_of_index, rows_of_mapping
from wd14.model.files.label_rows import (
    LARGEST_FILE,
    LONGEST_WORD,
    MOST_CATEGORIES,
    LabelRows,
    category_name,
    shortened,
)
from wd14.regular_files import read_file
from wd14.types import UNUSED, Labels

CSV_NAME = "selected_tags.csv"
JSON_NAME = "tag_mapping.json"

#: Names under which a model folder may hold its labels, in the order in which they are looked for.
LABEL_FILES = (CSV_NAME, JSON_NAME)

#: How a web page begins that was saved in place of a file; a tag may begin with "<" too.
_WEB_PAGE = (b"<!", b"<html", b"<head", b"<?xml")

#: How files write a rating whose name would be that of another tag: `rating:general`, `rating_general`, `rating:g`.
_RATING = re.compile("rating[:_ ](?:general|sensitive|questionable|explicit|[gsqe])", re.ASCII)
_RATINGS = {name[0]: name for name in ("general", "sensitive", "questionable", "explicit")}

_OF_JSON = {"tag_mapping": rows_of_mapping, "idx_to_tag": rows_of_index, "tags_split": rows_of_blocks}


def read_labels(path: Path) -> Labels:
    """The tags of a label file; see `hashed_labels`."""
    return hashed_labels(path)[0]


def hashed_labels(path: Path, description: LabelsDescription | None = None) -> tuple[Labels, str, dict[int, float]]:
    """The tags of a label file, in the order of the model's outputs.

    Without a form in the description, a `.txt` file is a list with one tag a line, a `.json` file is of the form that
    its content has, and every other file is a CSV with a header. Ratings are called general, sensitive, questionable
    and explicit also where the file writes `rating:general` or `rating:g`. Costs 0.05 s for 10,000 tags.

    Args:
        path: the file.
        description: the form; what the outputs to skip are; our words for the file's categories and tags.

    Returns:
        the tags, where skipped outputs have the category `UNUSED`; the sha256 of the bytes that were read; and the
        thresholds of single tags that the file publishes, by position.

    Raises:
        ModelNotFoundError: there is no such file.
        LabelsError: not UTF-8, not of that form, something in it or in the description is missing in the other, or
            more than `label_rows` allows.
    """
    data = content_of(path)
    text = decoded(path, data)
    described = description or LabelsDescription(path.name)
    rows, form = _rows(path, text, described)
    names, categories = _described(path, rows, described)
    _check_encodable(path, (*names, *set(categories)))
    if all(category == UNUSED for category in categories):
        raise LabelsError(f"{path}: labels.skip or labels.categories of the model's description leave none of its tags")
    longest = max((*names, *categories), key=len)
    if len(longest) > LONGEST_WORD:
        raise LabelsError(
            f"{path}: {shortened(longest)!r} has {len(longest):,} characters; a tag or category has at most"
            f" {LONGEST_WORD}"
        )
    if (count := len(set(categories))) > MOST_CATEGORIES:
        raise LabelsError(f"{path} has {count:,} categories; at most {MOST_CATEGORIES} are read")
    labels = Labels(
        tuple(names),
        tuple(categories),
        order="score" if form == "tag_mapping" else "model",
        counts=tuple(rows.counts) if any(rows.counts) else (),
    )
    thresholds = {tag: value for tag, value in rows.thresholds.items() if categories[tag] != UNUSED}
    return labels, hashlib.sha256(data).hexdigest(), thresholds


def _check_encodable(path: Path, words: Sequence[str]) -> None:
    """Raises `LabelsError` where a word holds half of a character (D800 in JSON), which no caption can hold."""
    try:
        "\n".join(words).encode()
    except UnicodeEncodeError as error:
        found = next(word for word in words if error.object[error.start] in word)
        raise LabelsError(f"{path}: {shortened(ascii(found))} holds half of a character; write it as UTF-8") from error


def content_of(path: Path, kind: str = "label file") -> bytes:
    """A file of at most `LARGEST_FILE` bytes; messages call it `kind`.

    Raises:
        ModelNotFoundError: there is no such file.
        LabelsError: it cannot be read.
    """
    try:
        return read_file(path, LARGEST_FILE)
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"there is no {kind} {path}") from error
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror or error}") from error


def decoded(path: Path, data: bytes, content: str = "list of tags") -> str:
    """The file as text: UTF-8 with or without a byte order mark, or UTF-16 with one; messages say what it should hold.

    Raises:
        LabelsError: it is no such text.
    """
    if not data.strip():
        raise LabelsError(f"{path} is empty; expected a {content}")
    if data.lstrip()[:6].lower().startswith(_WEB_PAGE):
        raise LabelsError(f"{path} is a web page, not a {content}; download the file itself (on the hub: 'raw')")
    if data.startswith(b"version https://git-lfs"):
        raise LabelsError(f"{path} is a Git LFS pointer, not the file itself; run 'git lfs pull' or download it again")
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if utf16 else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LabelsError(
            f"{path} is not {'UTF-16' if utf16 else 'UTF-8'} text (byte {error.start}, line {line}); save it as UTF-8"
        ) from error


def _rows(path: Path, text: str, described: LabelsDescription) -> tuple[LabelRows, str]:
    """What the file says, and the form in which it does."""
    suffix = path.suffix.lower()
    form = described.form or {".json": None, ".txt": "lines"}.get(suffix, "csv")
    if form == "lines":
        return rows_of_lines(path, text), form
    if form == "csv":
        return rows_of_csv(path, text), form
    content = parsed(path, text)
    found = form or form_of(content)
    return _OF_JSON[found](path, content), found


def _described(path: Path, rows: LabelRows, described: LabelsDescription) -> tuple[list[str], list[str]]:
    """Names and categories in our words."""
    ours = {theirs.strip().lower(): category for theirs, category in described.categories.items()}
    word = {each: ours.get(each.strip().lower()) or category_name(each) for each in set(rows.categories)}
    categories = [word[each] for each in rows.categories]
    names = [
        _RATINGS[name[7]] if category == "rating" and _RATING.fullmatch(name) else name
        for name, category in zip(rows.names, categories, strict=True)
    ]
    if not described.tags and not described.skip:
        return names, categories
    places: dict[str, list[int]] = {}
    for place, name in enumerate(rows.names):
        places.setdefault(name, []).append(place)
    named = [*(("tags", each) for each in described.tags), *(("skip", each) for each in described.skip)]
    for field, each in named:
        if not (each in places if isinstance(each, str) else 0 <= each < len(names)):
            raise LabelsError(
                f"{path} has no {shortened(str(each))!r} among its {len(names):,} tags, which labels.{field} of the"
                " model's description names; it describes another file"
            )
    for theirs, (name, category) in described.tags.items():
        for place in places[theirs]:
            names[place], categories[place] = name, category
    for each in described.skip:
        for place in [each] if isinstance(each, int) else places[each]:
            categories[place] = UNUSED
    return names, categories
