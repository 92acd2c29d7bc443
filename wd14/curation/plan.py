"""The plan: what becomes of which tags, and why. It is written as JSON that a person reads, edits and gives back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wd14.config_words import shown
from wd14.errors import ConfigError
from wd14.json_files import parse_json, read_json_file

_TITLE = "Plan (plan)"
#: Bytes that a plan.json may have.
LARGEST_PLAN = 32_000_000
#: Digests in a plan, by which another dataset is told.
SAMPLE_SIZE = 64
#: Entries that a list of a plan may have.
_MOST_ENTRIES = 50_000
#: How many problems of an edited plan are told at once.
_MOST_PROBLEMS = 5

#: folded = the trigger word stands for the tag; dropped = no caption should have it; ask = kept, a person may decide.
Verdict = Literal["folded", "ask", "kept", "dropped"]
LEAVES_OUT = frozenset({"folded", "dropped"})
#: The rule of decisions that a person made.
BY_HAND = "by hand"

Name = Annotated[str, Field(min_length=1, max_length=1000)]
Text = Annotated[str, Field(max_length=10_000)]
Number = Annotated[int, Field(ge=0, le=2**53)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Decision(_Part):
    """What becomes of a tag. A person's own entries need `tag` and `decision` only."""

    tag: Name  #: as the model names it; a person may use any spelling, `*` and `?`
    decision: Verdict
    #: Where it is set, the decision holds only beside this tag, on pictures of one person: aqua_eyes beside blue_eyes.
    beside: Name | None = None
    rule: Text = BY_HAND  #: what decided it: identity, outfit, siblings, contradiction, …
    family: Text | None = None
    rows: Number | None = None  #: pictures with the tag; of a contradiction those where it is left out
    frequency: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None  #: share of the pictures
    lift: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  #: times as frequent as usual
    reason: Text = ""


class Differing(_Part):
    """A picture without some of what identifies the others."""

    name: Text
    lacks: tuple[Name, ...]
    instead: tuple[Name, ...] = ()  #: what it has of the same sibling groups: red_hair for blue_hair
    reason: Text = ""


class Plan(_Part):
    """What a study of a dataset led to. The order of the fields is the order in plan.json."""

    version: Literal[1] = 1
    purpose: Literal["none", "character", "outfit", "style"] = "none"
    trigger_words: tuple[Text, ...] = ()
    model: Text = ""
    dataset: Text = ""
    pictures: Number = 0
    notes: Annotated[tuple[Text, ...], Field(max_length=_MOST_ENTRIES)] = ()
    decisions: Annotated[tuple[Decision, ...], Field(max_length=_MOST_ENTRIES)] = ()
    differing: Annotated[tuple[Differing, ...], Field(max_length=_MOST_ENTRIES)] = ()  #: worst first, not always all
    differing_in_all: Number = 0
    sample: Annotated[tuple[Digest, ...], Field(max_length=SAMPLE_SIZE)] = ()  #: beginnings of pictures' sha256

    @property
    def left_out(self) -> tuple[str, ...]:
        """The tags that no caption is to have. What goes beside another tag only stays elsewhere."""
        return tuple(each.tag for each in self.decisions if each.decision in LEAVES_OUT and each.beside is None)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON can hold it; `beside` is only there where a decision has one."""
        value = self.model_dump(mode="json")
        for entry in value["decisions"]:
            if entry["beside"] is None:
                del entry["beside"]
        return value

    @classmethod
    def from_json(cls, value: object) -> Plan:
        """The plan that `to_json` gave, as a person may have edited it.

        Raises:
            ConfigError: it is none; the message names each entry that is wrong, what it has and what was expected.
        """
        if not isinstance(value, Mapping):
            raise ConfigError(f"Plan (plan): expected an object {{…}} with a list of decisions, got {shown(value)}")
        if value.get("version", 1) != 1:
            raise ConfigError(
                f"Plan (plan): expected version 1, got {shown(value['version'])}; make the plan anew with this program"
            )
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            lines = [_explain(problem, value) for problem in problems[:_MOST_PROBLEMS]]
            if more := len(problems) - len(lines):
                lines.append(f"… and {more:,} more")
            raise ConfigError("\n".join(lines)) from error


def plan_text(plan: Plan) -> str:
    """The text of a plan.json, with an entry a line."""
    fields = (f"  {json.dumps(key)}: {_json(value)}" for key, value in plan.to_json().items())
    return "{\n" + ",\n".join(fields) + "\n}\n"


def read_plan(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        ConfigError: there is no such file, or it is no plan.
    """
    return parse_plan(read_json_file(path, LARGEST_PLAN, _TITLE))


def parse_plan(text: bytes) -> Plan:
    """The plan of a plan.json.

    Raises:
        ConfigError: the text is too long or no JSON, or as `Plan.from_json`.
    """
    if len(text) > LARGEST_PLAN:
        raise ConfigError(f"Plan (plan): expected at most {LARGEST_PLAN:,} bytes, got {len(text):,}")
    return Plan.from_json(parse_json(text, _TITLE, "a plan.json"))


def _json(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in value) + "\n  ]"
    return json.dumps(value, ensure_ascii=False)


def _explain(problem: Any, plan: Mapping[str, Any]) -> str:
    """A line for one of pydantic's errors: `Plan (plan): decisions, entry 4 (blue_hair): decision: …`."""
    where = ": ".join(_places(problem["loc"], plan))
    if problem["type"] == "missing":
        return f"Plan (plan): {where} is missing"
    if problem["type"] == "extra_forbidden":
        return f"Plan (plan): {where} is no field of a plan"
    message = problem["msg"].replace("Input should be", "expected").replace("Tuple", "List")
    return f"Plan (plan): {where}: {message}, got {shown(problem['input'])}"


def _places(loc: Sequence[str | int], plan: Any) -> Iterator[str]:
    place, value = "", plan
    for step in loc:
        value = _inside(value, step)
        if isinstance(step, str):
            if place:
                yield place
            place = step
        else:
            name = _inside(value, "tag") or _inside(value, "name")
            place += f", entry {step + 1}" + (f" ({str(name)[:100]})" if name else "")
    yield place


def _inside(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None
