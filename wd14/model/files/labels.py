"""Label files: `selected_tags.csv` (WD14, PixAI) and `tag_mapping.json` (cl_tagger) -> `Labels`."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
from pathlib import Path

from wd14.errors import LabelsError, ModelNotFoundError
from wd14.regular_files import read_file
from wd14.types import CATEGORY_NAMES, UNUSED, Labels

CSV_NAME = "selected_tags.csv"
JSON_NAME = "tag_mapping.json"

#: Names under which a model folder may hold its labels, in the order in which they are looked for.
LABEL_FILES = (CSV_NAME, JSON_NAME)

#: What a label file may have. The largest known tagger has about 40,000 tags in 3 MB; at these limits reading takes a
#: few seconds. Danbooru's longest tag has 170 characters, and it has five categories.
LARGEST_FILE = 16 << 20
MOST_TAGS = 250_000
LONGEST_WORD = 255
MOST_CATEGORIES = 100
#: Digits.
_LONGEST_COUNT = 12


def read_labels(path: Path) -> Labels:
    """The tags of a label file; see `hashed_labels`."""
    return hashed_labels(path)[0]


def hashed_labels(path: Path) -> tuple[Labels, str]:
    """The tags of a label file, in the order of the model's outputs, and the sha256 of the bytes that were read.

    A `.json` file is a `tag_mapping.json`: `{index: {"tag", "category"}}`, where the index is the output's position;
    an index that is left out gets the category `UNUSED`. Every other file is a CSV with a header, of which the columns
    `name`, `category` and, where there is one, `count` are read, in any place.

    Raises:
        ModelNotFoundError: there is no such file.
        LabelsError: not UTF-8, not of that format, a column or a tag is missing, or more than the limits above.
    """
    data = _read(path)
    text = _decoded(path, data)
    labels = _from_json(path, text) if path.suffix.lower() == ".json" else _from_csv(path, text)
    longest = max((*labels.names, *labels.categories), key=len)
    if len(longest) > LONGEST_WORD:
        raise LabelsError(
            f"{path}: {_shortened(longest)!r} has {len(longest):,} characters; a tag or category has at most"
            f" {LONGEST_WORD}"
        )
    if (count := len(set(labels.categories))) > MOST_CATEGORIES:
        raise LabelsError(f"{path} has {count:,} categories; at most {MOST_CATEGORIES} are read")
    return labels, hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return read_file(path, LARGEST_FILE)
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"there is no label file {path}") from error
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror or error}") from error


def _decoded(path: Path, data: bytes) -> str:
    """The file as text: UTF-8 with or without a byte order mark, or UTF-16 with one."""
    if not data.strip():
        raise LabelsError(f"{path} is empty; expected a list of tags")
    if data.lstrip()[:1] == b"<":
        raise LabelsError(f"{path} is a web page, not a list of tags; download the file itself (on the hub: 'raw')")
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


def _from_csv(path: Path, text: str) -> Labels:
    reader = csv.reader(io.StringIO(text, newline=""))
    names: list[str] = []
    categories: list[str] = []
    counts: list[int] = []
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        missing = [column for column in ("name", "category") if column not in header]
        if missing:
            raise LabelsError(
                f"{path} has no column {' and no column '.join(map(repr, missing))}; expected a header such as"
                f" tag_id,name,category,count, found {_shortened(','.join(header))!r}"
            )
        name_at, category_at = header.index("name"), header.index("category")
        count_at = header.index("count") if "count" in header else -1
        for row in reader:
            if not row:
                continue
            if len(row) <= max(name_at, category_at) or not row[name_at].strip():
                found = _shortened(",".join(row))
                raise LabelsError(f"{path}, line {reader.line_num}: expected a name and a category, found {found!r}")
            if len(names) == MOST_TAGS:
                raise LabelsError(f"{path} has more than {MOST_TAGS:,} tags; no tagger has so many")
            names.append(row[name_at].strip())
            categories.append(_category_name(row[category_at]))
            counts.append(_count(row[count_at]) if -1 < count_at < len(row) else 0)
    except csv.Error as error:
        raise LabelsError(f"{path}, line {reader.line_num}: not a CSV file ({error})") from error
    if not names:
        raise LabelsError(f"{path} holds a header and no tags")
    return Labels(tuple(names), tuple(categories), order="model", counts=tuple(counts) if any(counts) else ())


def _count(text: str) -> int:
    """A number of pictures; 0 where a file has something else there, for captions do not depend on it."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_COUNT else 0


def _category_name(value: str) -> str:
    """The name of a category, which files write as Danbooru's number or as a word.

    A number that Danbooru does not have becomes `category_<number>`, so that a threshold can be set for it.
    """
    word = value.strip().lower()
    try:
        number = int(word)
    except ValueError:
        return word or "general"
    return CATEGORY_NAMES.get(number, f"category_{number}")


def _from_json(path: Path, text: str) -> Labels:
    try:
        mapping = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LabelsError(f"{path} is not JSON: {error}") from error
    if not isinstance(mapping, dict) or not mapping:
        raise LabelsError(f'{path}: expected {{"0": {{"tag": …, "category": …}}, …}}, found {_shortened(text)!r}')
    tags: dict[int, tuple[str, str]] = {}
    for key, value in mapping.items():
        if not (key.isascii() and key.isdigit()):
            raise LabelsError(f"{path}: expected the position of an output as key, found {_shortened(key)!r}")
        if len(key) > len(str(MOST_TAGS)) or int(key) >= MOST_TAGS:
            raise LabelsError(
                f"{path}: the position {_shortened(key)} is not below {MOST_TAGS:,}; no tagger has so many tags"
            )
        if int(key) in tags:
            raise LabelsError(f"{path}: the index {int(key)} occurs twice")
        pair = (value.get("tag"), value.get("category")) if isinstance(value, dict) else ()
        words = [word.strip() for word in pair if isinstance(word, str) and word.strip()]
        if len(words) != 2:
            found = _shortened(str(value))
            raise LabelsError(f'{path}, index {key}: expected {{"tag": …, "category": …}}, found {found!r}')
        tags[int(key)] = (words[0], words[1].lower())
    filled = [tags.get(index, (f"unused_{index}", UNUSED)) for index in range(max(tags) + 1)]
    return Labels(tuple(name for name, _ in filled), tuple(category for _, category in filled), order="score")


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
