"""`edits.json`: what it may hold, and reading it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from wd14.config_words import shown
from wd14.errors import ConfigError
from wd14.json_files import parse_json, read_json_file
from wd14.review.edits_by_picture import Edits, EditWithRows
from wd14.types import Edit

TITLE = "Edits (edits)"
#: Bytes that an edits.json may have: 1,400,000 rows.
LARGEST_EDITS = 100_000_000
#: Edits that a file may have, and those among them that are of all pictures, each of which costs every picture a look.
MOST_EDITS = 100_000
MOST_OF_ALL = 1_000
_LONGEST_TAG = 1_000
_LONGEST_CAPTION = 100_000
#: How many problems of a file are told at once.
_MOST_TOLD = 5

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
#: Control characters, ends of lines, and half characters, which no file can hold.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
#: The largest whole number that JavaScript has.
LARGEST_NUMBER = (1 << 53) - 1


def _rows(value: object) -> tuple[bytes, ...] | None:
    """The sha256 of pictures; None = all of them. (By hand: pydantic would name a million wrong rows.)"""
    if value == "all":
        return None
    if not isinstance(value, list):
        raise ValueError(f'expected "all" or a list of the sha256 of pictures, got {shown(value)}')
    for number, row in enumerate(value, 1):
        if not isinstance(row, str) or not _SHA256.fullmatch(row):
            raise ValueError(
                f"row {number:,}: expected the sha256 of a picture, 64 digits of 0-9 and a-f, got {shown(row)}"
            )
    return tuple(map(bytes.fromhex, value))


def _tag(value: object) -> str:
    text = _tag_or_nothing(value)
    if not text:
        raise ValueError(f"expected a tag, got {shown(value)}")
    return text


def _tag_or_nothing(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {shown(value)}")
    if len(value) > _LONGEST_TAG:
        raise ValueError(f"expected at most {_LONGEST_TAG:,} characters, got {len(value):,}")
    if _UNWRITABLE.search(value):
        raise ValueError(f"expected a tag in one line, got {shown(value)}")
    return value.strip()


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError(f"expected text, got {shown(value)}, which holds a NUL")
    return value


_Rows = Annotated[tuple[bytes, ...] | None, BeforeValidator(_rows)]
_Tag = Annotated[str, BeforeValidator(_tag)]
_Number = Annotated[int | None, Field(strict=True, ge=0, le=LARGEST_NUMBER)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: _Rows
    # By these a page knows an edit again; what it does to captions does not depend on them.
    id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = None
    at: _Number = None
    rev: _Number = None


class _Tagged(_Entry):
    op: Literal["add", "remove"]
    tag: _Tag

    def edit(self) -> Edit:
        return Edit(self.op, self.tag)


class _Replace(_Entry):
    op: Literal["replace"]
    tag: _Tag
    replacement: Annotated[str, BeforeValidator(_tag_or_nothing), Field(alias="with")]

    def edit(self) -> Edit:
        return Edit(self.op, self.tag, self.replacement)


class _Set(_Entry):
    op: Literal["set"]
    caption: Annotated[str, Field(max_length=_LONGEST_CAPTION), AfterValidator(_without_nul)]

    def edit(self) -> Edit:
        return Edit(self.op, caption=self.caption)


class _Reject(_Entry):
    op: Literal["reject"]
    keep: Literal["first"] | None = None

    def edit(self) -> Edit:
        return Edit(self.op, keeps_first=self.keep is not None)


_ENTRY: TypeAdapter[_Tagged | _Replace | _Set | _Reject] = TypeAdapter(
    Annotated[_Tagged | _Replace | _Set | _Reject, Field(discriminator="op")]
)
_OPS = ("add", "remove", "replace", "set", "reject")


def read_edits(path: Path) -> Edits:
    """The edits in a file. One with 1,000,000 rows takes 3 seconds, and 500 MB while it is read.

    Raises:
        ConfigError: there is no such file, or it is no edits.json.
    """
    return parse_edits(read_json_file(path, LARGEST_EDITS, TITLE))


def parse_edits(text: bytes) -> Edits:
    """The edits of an edits.json.

    Raises:
        ConfigError: it is none; the message names each entry that is wrong, what it has and what was expected.
    """
    return Edits(list(_entries(edits_in(parse_json(text, TITLE, "an edits.json")))), text)


def edits_in(value: object) -> list[Any]:
    """The edits in the value of an edits.json; each is still to be read.

    Raises:
        ConfigError: the value is none of an edits.json, or has more edits than it may.
    """
    if not isinstance(value, dict) or not isinstance(value.get("edits"), list):
        raise ConfigError(f'{TITLE}: expected an object {{"version": 1, "edits": [...]}}, got {shown(value)}')
    if value.get("version") != 1:
        raise ConfigError(
            f"{TITLE}: expected version 1, got {shown(value.get('version'))}; save the edits anew with this program"
        )
    # What a page took back lies beside the edits: a page can do it again, and a replay leaves it out.
    if more := sorted(value.keys() - {"version", "edits", "undone"}):
        raise ConfigError(f"{TITLE}: expected version and edits only, got {shown(more[0])} too")
    check_numbers(value["edits"])
    return list(value["edits"])


def check_numbers(edits: Sequence[object]) -> None:
    """Refuses more edits than a file may have.

    Args:
        edits: as a file has them.

    Raises:
        ConfigError: there are too many, or too many of all pictures.
    """
    of_all = sum(isinstance(edit, Mapping) and edit.get("rows") == "all" for edit in edits)
    for number, most, what in ((len(edits), MOST_EDITS, "edits"), (of_all, MOST_OF_ALL, "edits of all pictures")):
        if number > most:
            raise ConfigError(f"{TITLE}: expected at most {most:,} {what}, got {number:,}")


def _entries(values: Iterable[object]) -> Iterator[EditWithRows]:
    """The entries of a file.

    Raises:
        ConfigError: some are none; the message names the first few.
    """
    problems: list[str] = []
    for number, value in enumerate(values, 1):
        try:
            yield parse_entry(value, number)
        except ConfigError as error:
            problems += str(error).splitlines()
            if len(problems) >= _MOST_TOLD:
                break
    if problems:
        raise ConfigError("\n".join(problems))


def parse_entry(value: object, number: int) -> EditWithRows:
    """One edit, as the file has it.

    Raises:
        ConfigError: it is none; each line names the entry by its number, what it has and what was expected.
    """
    if not isinstance(value, dict):
        raise ConfigError(f"{TITLE}: entry {number:,}: expected an object, got {shown(value)}")
    try:
        entry = _ENTRY.validate_python(value)
    except ValidationError as error:
        raise ConfigError(
            "\n".join(_explain(number, problem) for problem in error.errors(include_url=False))
        ) from error
    return EditWithRows(entry.edit(), entry.rows)


def _explain(number: int, problem: Any) -> str:
    """A line for one of pydantic's errors: `Edits (edits): entry 4: tag: …`."""
    entry = f"{TITLE}: entry {number:,}"
    if problem["type"].startswith("union_tag"):
        value = problem["input"]
        op = value.get("op") if isinstance(value, dict) else value
        return f"{entry}: op: expected {', '.join(_OPS[:-1])} or {_OPS[-1]}, got {shown(op)}"
    where = f"{entry}: {problem['loc'][-1]}"
    if problem["type"] == "missing":
        return f"{where} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{where} is no field of this op"
    if problem["type"] == "value_error":
        return f"{where}: {problem['ctx']['error']}"
    message = re.sub("^(Input should be|String should( have)?)", "expected", problem["msg"])
    return f"{where}: {message}, got {shown(problem['input'])}"
