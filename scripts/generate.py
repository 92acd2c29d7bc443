"""Writes all that follows from the parameters: index.json, task.yaml's parameters and info.md's table.

scripts/generate    after every change of `wd14/config.py`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.manifest import NOT_IN_THE_PANEL, index_json
from scripts.task_yaml import parameters_yaml
from wd14.config import CaptionConfig
from wd14.parameter_groups import GROUPS

ROOT = Path(__file__).parents[1]

#: Where the generated part of a file begins; it goes on to the file's end.
_TASK_PARAMETERS = "parameters:\n"
_INFO_PARAMETERS = "## All parameters\n"


def task_yaml(before: str) -> str:
    """task.yaml with its parameters made anew."""
    return _with_end(before, _TASK_PARAMETERS, parameters_yaml())


def info_md(before: str) -> str:
    """info.md with its tables of parameters made anew."""
    return _with_end(before, _INFO_PARAMETERS, "\n" + "\n".join(_tables()))


def _tables() -> Iterator[str]:
    for group, keys in GROUPS.items():
        yield f"### {group}\n"
        yield "| Parameter | Key | Default | What it does |\n|---|---|---|---|"
        for key in keys:
            field = CaptionConfig.model_fields[key]
            text = re.sub(r"([\\*_|<>^])", r"\\\1", field.description or "")
            where = " Not in the panel." if key in NOT_IN_THE_PANEL else ""
            yield f"| {field.title} | `{key}` | {_default(field.default)} | {text}{where} |"
        yield ""


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "empty" if value in (None, "", (), {}) else f"`{value}`"


def _with_end(text: str, heading: str, end: str) -> str:
    start, found, _ = text.partition(heading)
    if not found:
        raise ValueError(f"expected the line {heading.strip()!r}, which begins the generated part")
    return start + heading + end


def generated() -> dict[str, str]:
    """Name of each file -> its text, with what is generated made anew."""
    task, info = ((ROOT / name).read_text("utf-8") for name in ("task.yaml", "info.md"))
    return {"index.json": index_json(), "task.yaml": task_yaml(task), "info.md": info_md(info)}


if __name__ == "__main__":
    for name, text in generated().items():
        (ROOT / name).write_text(text, encoding="utf-8")
