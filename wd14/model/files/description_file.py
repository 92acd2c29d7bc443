"""Reads a person's own description of a model, and says where it is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from wd14.config_words import shown
from wd14.errors import ConfigError, DescriptionError
from wd14.json_files import parse_json
from wd14.model.files.description import DESCRIPTION_FILE, ModelDescription, described
from wd14.model.files.description_form import ModelForm
from wd14.model.files.stages import stage_of
from wd14.model.geometry import side_of
from wd14.text import printable

#: Bytes of it that are read: a hundred times what one with many tags of its own has.
LARGEST_DESCRIPTION = 1 << 20

#: Characters of a field's name that a message shows.
_LONGEST_FIELD = 100
#: Problems that one message names.
_MOST_PROBLEMS = 5


def parse(text: bytes, name: str) -> ModelDescription:
    """The model of a `tagger.json`.

    Args:
        text: the file.
        name: how messages name it.

    Raises:
        DescriptionError: it is no description; the message names each field that is wrong, what it has and what was
            expected.
    """
    try:
        value = parse_json(text, name, DESCRIPTION_FILE, once=True)
    except ConfigError as error:
        raise DescriptionError(str(error)) from error
    return described(check(value, name))


def check(value: object, name: str) -> Mapping[str, Any]:
    """The value itself, where it describes a model.

    Raises:
        DescriptionError: it does not; see `parse`.
    """
    if not isinstance(value, dict):
        raise DescriptionError(f"{name}: expected an object {{…}} that describes a model, got {shown(value)}")
    check_form(ModelForm, value, name)
    if problem := _contradiction(value):
        raise DescriptionError(f"{name}: {problem}")
    return value


def check_form(form: type[BaseModel], value: object, name: str) -> None:
    """Checks that a value has a form.

    Raises:
        DescriptionError: it has not; see `parse`.
    """
    try:
        form.model_validate(value)
    except ValidationError as error:
        raise DescriptionError(_explain_all(error, name)) from error


def _contradiction(value: Mapping[str, Any]) -> str | None:
    """What is wrong with fields that are right one by one; None = nothing."""
    input_ = value.get("input", {})
    given = [key for key in _SAID_TOGETHER if key in input_]
    if value.get("preprocess") is not None:
        for key in given:
            if key not in ("layout", "channels", "background"):
                return f"input.{key}: {value['preprocess']['path']} says it; leave out one of them"
        return None
    if not given:
        return None
    for key in _SAID_TOGETHER:
        if key not in given and key != "background":
            return f"input.{key} is missing beside input.{given[0]}: {_SAID_TOGETHER[key]}"
    return None if isinstance(input_["resize"], str) else _wrong_end(input_["size"], input_["resize"])


def _wrong_end(size: int, steps: Sequence[Mapping[str, Any]]) -> str | None:
    """What is wrong with what the steps make; None = nothing."""
    try:
        side = side_of([stage_of(step) for step in steps])
    except ValueError as error:
        found = str(error)
    else:
        if side == size:
            return None
        found = f"squares of {side}"
    return f"input.resize: expected steps that make squares of {size} (input.size), these make {found}"


#: Fields of `input` of which there are all or none.
_SAID_TOGETHER = {
    "size": "the side of the square that the model sees, in pixels, such as 448",
    "layout": "NHWC or NCHW, the order of its dimensions",
    "channels": "RGB or BGR",
    "range": '"0..255", "0..1", "-1..1" or {"mean": […], "deviation": […]}',
    "resize": '"pad", "squash" or a list of steps',
    "background": "",
}


#: Fields that can be a word, or something else.
_WORDS = {"input.range": '"0..255", "0..1", "-1..1"', "input.resize": '"pad", "squash"'}

#: pydantic's types of errors, in words of JSON.
_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "model_type": "an object {…}",
    "model_attributes_type": "an object {…}",
    "dict_type": "an object {…}",
    "tuple_type": "a list […]",
    "list_type": "a list […]",
    "string_pattern_mismatch": "64 hexadecimal digits in small letters",
}


def _explain_all(error: ValidationError, name: str) -> str:
    found = error.errors(include_url=False)
    inner = {problem["loc"][:-1] for problem in found}  # a list with a wrong entry is called too short as well
    problems = [problem for problem in found if problem["type"] != "too_short" or problem["loc"] not in inner]
    lines = [f"{name}: {_explain(problem)}" for problem in problems[:_MOST_PROBLEMS]]
    if more := len(problems) - len(lines):
        lines.append(f"… and {more:,} more")
    return "\n".join(lines)


def _explain(problem: Any) -> str:
    """A line for one of pydantic's errors: `input.size: expected …, got …`."""
    where = _field(problem["loc"])
    if problem["type"].startswith("union_tag"):
        return f"{where}.type: {_kind(problem)}"
    if problem["type"] == "missing":
        return f"{where} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no such field"
    if problem["type"] == "value_error":
        return f"{where}: {problem['ctx']['error']}"
    if problem["type"] in ("too_short", "too_long"):
        limits = problem["ctx"]
        limit = f"at least {limits['min_length']}" if "min_length" in limits else f"at most {limits['max_length']}"
        return f"{where}: expected {limit} entries, got {limits['actual_length']}"
    expected = _EXPECTED.get(problem["type"]) or re.sub("^(Input|String) should( be| have)? ?", "", problem["msg"])
    for theirs, ours in (("greater than or equal to", "at least"), ("less than or equal to", "at most")):
        expected = expected.replace(theirs, ours)
    if where in _WORDS and problem["type"] != "literal_error":
        expected = f"{_WORDS[where]} or {expected}"
    return f"{where}: expected {expected}, got {_as_json(problem['input'])}"


def _as_json(value: object) -> str:
    """A value as the file has it."""
    return {None: "null", True: "true", False: "false"}[value] if isinstance(value, bool | None) else shown(value)


def _kind(problem: Any) -> str:
    """What is wrong with the kind of a step."""
    value, kinds = problem["input"], problem["ctx"].get("expected_tags")
    if kinds is None:
        return f"expected the name of a step, got {shown(value)}"
    return f"expected one of {kinds.replace(chr(39), '')}, got {shown(value.get('type'))}"


def _field(parts: tuple[int | str, ...]) -> str:
    """A field's name as a person writes it, without what pydantic calls the alternatives of it."""
    names: list[str] = []
    previous: int | str = ""
    for part in parts:
        if isinstance(part, int):
            names[-1:] = [f"{names[-1] if names else ''}[{part}]"]
        elif part not in ("word", "rest", "[key]") and not (isinstance(previous, int) and part in _STEP_NAMES):
            name = printable(part)
            names.append(name if len(name) <= _LONGEST_FIELD else f"{name[:_LONGEST_FIELD]}…")
        previous = part
    return ".".join(names)


_STEP_NAMES = {
    *("resize", "center_crop", "pad_to_size", "pad_to_square"),
    *("convert_rgb", "to_tensor", "maybe_to_tensor", "rescale", "normalize"),
}
