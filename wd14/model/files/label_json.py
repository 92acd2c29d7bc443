"""Label files in JSON: `tag_mapping.json` (cl_tagger), `idx_to_tag` (Camie, CL v2), blocks of tags (PixAI v1.0)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wd14.errors import LabelsError
from wd14.model.files.label_csv import check_number
from wd14.model.files.label_rows import MOST_TAGS, LabelRows, shortened
from wd14.types import UNUSED

#: How deep in a file the table of tags may lie. Camie's is in `dataset_info`, `tag_mapping`.
_DEEPEST = 3
_INDEX_KEYS = ("idx_to_tag", "index_to_tag")


def parsed(path: Path, text: str) -> Any:
    """The content of a JSON file.

    Raises:
        LabelsError: it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LabelsError(f"{path} is not JSON: {error}") from error


def form_of(content: Any) -> str:
    """The form that a file without a description seems to have; "tag_mapping" where it looks like none."""
    if isinstance(content, dict) and not next(iter(content), "").isdigit():
        if "tags_split" in content or isinstance(content.get("categories"), list):
            return "tags_split"
        if any(_holder(content, key) for key in _INDEX_KEYS):
            return "idx_to_tag"
    return "idx_to_tag" if _is_bare_index(content) else "tag_mapping"


def _is_bare_index(content: Any) -> bool:
    """Whether the content is itself a list of tags, or `{index: tag}`."""
    if isinstance(content, dict) and next(iter(content), "").isdigit():
        content = list(content.values())
    return isinstance(content, list) and bool(content) and isinstance(content[0], str)


def rows_of_mapping(path: Path, content: Any) -> LabelRows:
    """The rows of `{index: {"tag", "category"}}`, where the index is the output's position.

    An index that is left out gets the category `UNUSED`.

    Raises:
        LabelsError: it is of another form, or there are too many tags.
    """
    if not isinstance(content, dict) or not content:
        found = shortened(json.dumps(content, ensure_ascii=False))
        raise LabelsError(f'{path}: expected {{"0": {{"tag": …, "category": …}}, …}}, found {found!r}')
    tags: dict[int, tuple[str, str]] = {}
    for index, value in _by_position(path, content).items():
        pair = (value.get("tag"), value.get("category")) if isinstance(value, dict) else ()
        words = [word.strip() for word in pair if isinstance(word, str) and word.strip()]
        if len(words) != 2:
            found = shortened(str(value))
            raise LabelsError(f'{path}, index {index}: expected {{"tag": …, "category": …}}, found {found!r}')
        tags[index] = (words[0], words[1])
    return _filled(tags)


def rows_of_index(path: Path, content: Any) -> LabelRows:
    """The rows of `idx_to_tag`, a list or `{index: tag}`, with `tag_to_category` or `idx_to_category` beside it.

    The object that holds them may lie in others, and the list may be all that there is. A tag that no category is given
    for is a general one.

    Raises:
        LabelsError: it is of another form, or there are too many tags.
    """
    if _is_bare_index(content):
        content = {_INDEX_KEYS[0]: content}
    key, holder = next(((key, found) for key in _INDEX_KEYS if (found := _holder(content, key))), ("", {}))
    if not key:
        raise LabelsError(f"{path}: expected an object with idx_to_tag, found none")
    names = _by_position(path, holder[key], key)
    by_tag = holder.get("tag_to_category")
    by_index = None if by_tag is not None else holder.get("idx_to_category")
    if by_tag is not None and not isinstance(by_tag, dict):
        raise LabelsError(f"{path}, tag_to_category: expected {{tag: category, …}}, found {shortened(str(by_tag))!r}")
    categories = {} if by_index is None else _by_position(path, by_index, "idx_to_category")
    tags = {}
    for index, name in names.items():
        if not isinstance(name, str) or not name.strip():
            raise LabelsError(f"{path}, {key} {index}: expected a tag, found {shortened(str(name))!r}")
        category = categories.get(index) if by_tag is None else by_tag.get(name)
        tags[index] = (name.strip(), _category(path, category, name))
    return _filled(tags)


def rows_of_blocks(path: Path, content: Any) -> LabelRows:
    """The rows of blocks of tags, one block for each category, in the order of the outputs.

    Either `tags` is a list of all and `tags_split` is `[[category, number], …]`, or `categories` is
    `[{"name", "offset", "count", "tags"}, …]`.

    Raises:
        LabelsError: it is of another form, the numbers do not fit the tags, or there are too many tags.
    """
    if isinstance(content, dict) and "tags_split" in content:
        blocks = _split(path, content)
        expected = len(content["tags"])
    elif isinstance(content, dict) and isinstance(content.get("categories"), list):
        blocks = _named(path, content["categories"])
        expected = content.get("num_classes", sum(len(names) for _, names in blocks))
    else:
        raise LabelsError(f"{path}: expected an object with tags and tags_split, or with categories, found neither")
    rows = LabelRows()
    for category, names in blocks:
        check_number(path, len(rows.names) + len(names))
        for name in names:
            if not isinstance(name, str) or not name.strip():
                found = shortened(str(name))
                raise LabelsError(f"{path}, block {shortened(category)!r}: expected a tag, found {found!r}")
            rows.names.append(name.strip())
            rows.categories.append(category)
    if expected != len(rows.names) or not rows.names:
        found = shortened(str(expected))
        raise LabelsError(f"{path}: its blocks hold {len(rows.names):,} tags, and it says that there are {found}")
    return rows


def _split(path: Path, content: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    """The blocks of `tags`, as `tags_split` cuts them."""
    names = _list(path, content.get("tags"), "tags")
    blocks = []
    begin = 0
    for place, block in enumerate(_list(path, content["tags_split"], "tags_split")):
        match block:
            case [str(category), int(number)] if number >= 0 and not isinstance(number, bool):
                blocks.append((category, names[begin : begin + number]))
                begin += number
            case _:
                found = shortened(str(block))
                raise LabelsError(f"{path}, tags_split {place}: expected [category, number], found {found!r}")
    if begin != len(names):
        raise LabelsError(f"{path}: tags_split counts {shortened(str(begin))} tags, and tags has {len(names):,}")
    return blocks


def _named(path: Path, content: list[Any]) -> list[tuple[str, list[Any]]]:
    """The blocks of `categories`. Their order is that of the outputs; `offset` and `count` must agree where given."""
    blocks: list[tuple[str, list[Any]]] = []
    begin = 0
    for place, block in enumerate(content):
        match block:
            case {"name": str(category), "tags": list(names)}:
                said = (block.get("offset", begin), block.get("count", len(names)))
            case _:
                found = shortened(str(block))
                raise LabelsError(f'{path}, categories {place}: expected {{"name", "tags"}}, found {found!r}')
        if said != (begin, len(names)):
            raise LabelsError(
                f"{path}, categories {place}: {len(names):,} tags from output {begin:,} on, but its offset is"
                f" {shortened(str(said[0]))} and its count {shortened(str(said[1]))}"
            )
        blocks.append((category, names))
        begin += len(names)
    return blocks


def _list(path: Path, value: Any, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise LabelsError(f"{path}, {field}: expected a list, found {shortened(str(value))!r}")
    return value


def _holder(content: Any, key: str) -> Mapping[str, Any] | None:
    """The outermost object that has a list or object of this name."""
    level: list[Any] = [content]
    for _ in range(_DEEPEST):
        level = [each for each in level if isinstance(each, dict)]
        holder: Mapping[str, Any] | None = next((one for one in level if isinstance(one.get(key), list | dict)), None)
        if holder is not None:
            return holder
        level = [value for each in level for value in each.values()]
    return None


def _by_position(path: Path, content: Any, field: str = "") -> dict[int, Any]:
    """What stands for each output, from a list or from an object with positions as keys."""
    where = f"{path}, {field}" if field else str(path)
    if isinstance(content, list):
        check_number(path, len(content))
        content = {str(place): each for place, each in enumerate(content)}
    if not isinstance(content, dict) or not content:
        raise LabelsError(f"{where}: expected a list or an object with positions, found {shortened(str(content))!r}")
    found: dict[int, Any] = {}
    for key, value in content.items():
        if not (key.isascii() and key.isdigit()):
            raise LabelsError(f"{where}: expected the position of an output as key, found {shortened(key)!r}")
        if len(key) > len(str(MOST_TAGS)) or int(key) >= MOST_TAGS:
            raise LabelsError(
                f"{where}: the position {shortened(key)} is not below {MOST_TAGS:,}; no tagger has so many tags"
            )
        if int(key) in found:
            raise LabelsError(f"{where}: the index {int(key)} occurs twice")
        found[int(key)] = value
    return found


def _category(path: Path, value: object, name: str) -> str:
    """A category as the file writes it: a word or Danbooru's number."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise LabelsError(f"{path}: expected a category for {shortened(name)!r}, found {shortened(str(value))!r}")
    return str(value)


def _filled(tags: Mapping[int, tuple[str, str]]) -> LabelRows:
    filled = [tags.get(index, (f"unused_{index}", UNUSED)) for index in range(max(tags) + 1)]
    return LabelRows([name for name, _ in filled], [category for _, category in filled])
